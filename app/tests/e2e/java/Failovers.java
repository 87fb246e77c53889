import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.TransactionRolledBackException;

/** A client that comes back: lost connections, lost answers, a server that is killed. */
final class Failovers {
    private static final String PATIENT = "?initialReconnectDelay=10&maxReconnectDelay=100";

    static void all() {
        Checks.check("cut-sockets", () -> {
            try (Relay relay = new Relay(Checks.port);
                 Producer producer = producer(relay, false)) {
                for (int number = 0; number < 40; number++) {
                    if (number % 10 == 9) {
                        relay.cut();
                    }
                    send(producer, "cut-" + number);
                }
            }
        });
        Checks.check("lost-answer-of-a-send", () -> {
            try (Relay relay = new Relay(Checks.port);
                 Producer producer = producer(relay, false)) {
                relay.swallowNext();
                send(producer, "lost-answer");
                Checks.that("an answer was lost", relay.swallowed.get() == 1);
                send(producer, "after-a-lost-answer");
            }
        });
        Checks.check("lost-answer-of-a-commit", () -> {
            try (Relay relay = new Relay(Checks.port);
                 Producer producer = producer(relay, true)) {
                List<String> records = new ArrayList<>();
                for (int number = 0; number < 5; number++) {
                    records.add(Producer.record("doubted-" + number, 0));
                }
                relay.swallowNext();
                commit(producer, records);
                Checks.that("an answer was lost", relay.swallowed.get() == 1);
            }
        });
        Checks.check("cut-in-a-transaction", () -> {
            try (Relay relay = new Relay(Checks.port);
                 Producer producer = producer(relay, true)) {
                List<String> records = new ArrayList<>();
                for (int number = 0; number < 2; number++) {
                    records.add(Producer.record("cut-transaction-" + number, 0));
                }
                try {
                    producer.send(records.get(0));
                    relay.cut();
                    producer.send(records.get(1));
                    producer.session.commit();
                } catch (TransactionRolledBackException doubted) {
                    // it was in the commit that the client saw the cut
                    fill(producer, records);
                }
                Checks.sent("cut-transaction-0");
                Checks.sent("cut-transaction-1");
            }
        });
        Checks.check("ended-by-an-operator", () -> {
            String url = "failover:(" + Checks.url("") + ")" + PATIENT;
            try (Producer producer = new Producer(url, Checks.CDR, false)) {
                send(producer, "before-the-end");
                Checks.ask("disconnect");
                send(producer, "after-the-end");
            }
        });
        Checks.check("killed-server", Failovers::killed);
    }

    private static Producer producer(Relay relay, boolean transacted) throws Exception {
        String url = "failover:(tcp://127.0.0.1:" + relay.port() + ")" + PATIENT;
        return new Producer(url, Checks.CDR, transacted);
    }

    private static void send(Producer producer, String id) throws Exception {
        producer.send(Producer.record(id, 0));
        Checks.sent(id);
    }

    /** Whoever is told that it was rolled back does it again, with new message ids. */
    private static void commit(Producer producer, List<String> records) throws Exception {
        try {
            fill(producer, records);
        } catch (TransactionRolledBackException doubted) {
            fill(producer, records);
        }
        for (int number = 0; number < 5; number++) {
            Checks.sent("doubted-" + number);
        }
    }

    private static void fill(Producer producer, List<String> records) throws Exception {
        for (String record : records) {
            producer.send(record);
        }
        producer.session.commit();
    }

    private static void killed() throws Exception {
        String url = "failover:(" + Checks.url("") + ")" + PATIENT;
        CountDownLatch some = new CountDownLatch(20);
        CountDownLatch restarted = new CountDownLatch(1);
        AtomicReference<Exception> broken = new AtomicReference<>();
        Thread sending = new Thread(() -> {
            try (Producer producer = new Producer(url, Checks.CDR, false)) {
                // on through the restart, and for a while behind it
                for (int number = 0, rest = 20; rest > 0; number++) {
                    send(producer, "killed-" + number);
                    some.countDown();
                    rest -= restarted.getCount() == 0 ? 1 : 0;
                }
            } catch (Exception why) {
                broken.set(why);
            }
        });
        sending.start();
        some.await();
        Checks.ask("restart");
        restarted.countDown();
        sending.join();
        if (broken.get() != null) {
            throw broken.get();
        }
    }
}
