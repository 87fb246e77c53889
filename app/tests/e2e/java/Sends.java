import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.jms.DeliveryMode;
import org.apache.activemq.ActiveMQMessageProducer;

/** Ways of sending: asynchronous, in transactions, under a producer's window. */
final class Sends {
    static void all() {
        Checks.check("sync", () -> {
            try (Producer producer = new Producer(Checks.url(""), Checks.CDR, false)) {
                for (int number = 0; number < 50; number++) {
                    send(producer, "sync-" + number);
                }
            }
        });
        Checks.check("async", () -> async("?jms.useAsyncSend=true", "async", 100));
        Checks.check("windows", () -> {
            async("?jms.useAsyncSend=true&jms.producerWindowSize=4000", "windows", 200);
        });
        Checks.check("callback", () -> {
            try (Producer producer = new Producer(Checks.url(""), Checks.CDR, false)) {
                CompletableFuture<Void> stored = new CompletableFuture<>();
                ActiveMQMessageProducer own = (ActiveMQMessageProducer) producer.producer;
                String body = Producer.record("callback", 0);
                own.send(producer.session.createTextMessage(body), new Stored(stored));
                stored.get(120, TimeUnit.SECONDS);
                Checks.sent("callback");
            }
        });
        Checks.check("non-persistent", () -> {
            try (Producer producer = new Producer(Checks.url(""), Checks.CDR, false)) {
                producer.producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
                send(producer, "non-persistent");
                producer.producer.setDeliveryMode(DeliveryMode.PERSISTENT);
                send(producer, "behind-it");
            }
        });
        Checks.check("commit", () -> transaction("commit", 100, "commit"));
        Checks.check("commit-under-a-window", () ->
            transaction("windowed", 50, "commit", "?jms.producerWindowSize=3000"));
        Checks.check("rollback", () -> transaction("rollback", 3, "rollback"));
        Checks.check("close-without-commit", () -> transaction("close", 3, "close"));
    }

    private static final class Stored implements org.apache.activemq.AsyncCallback {
        private final CompletableFuture<Void> stored;

        Stored(CompletableFuture<Void> stored) {
            this.stored = stored;
        }

        @Override
        public void onSuccess() {
            stored.complete(null);
        }

        @Override
        public void onException(javax.jms.JMSException why) {
            stored.completeExceptionally(why);
        }
    }

    private static void send(Producer producer, String id) throws Exception {
        producer.send(Producer.record(id, 0));
        Checks.sent(id);
    }

    /** What is stored is stored in order: the answer to the last one is that of them all. */
    private static void async(String options, String name, int count) throws Exception {
        try (Producer producer = new Producer(Checks.url(options), Checks.CDR, false)) {
            for (int number = 0; number < count; number++) {
                send(producer, name + "-" + number);
            }
            try (Producer last = new Producer(Checks.url(""), Checks.CDR, false)) {
                send(last, name + "-last");
            }
        }
    }

    private static void transaction(String name, int count, String end) throws Exception {
        transaction(name, count, end, "");
    }

    private static void transaction(String name, int count, String end, String options)
        throws Exception {
        try (Producer producer = new Producer(Checks.url(options), Checks.CDR, true)) {
            for (int number = 0; number < count; number++) {
                producer.send(Producer.record(name + "-" + number, 0));
            }
            switch (end) {
                case "commit" -> producer.session.commit();
                case "rollback" -> {
                    producer.session.rollback();
                    producer.send(Producer.record("after-" + name, 0));
                    producer.session.commit();
                    Checks.sent("after-" + name);
                }
                default -> { }
            }
        }
        for (int number = 0; number < count; number++) {
            if (end.equals("commit")) {
                Checks.sent(name + "-" + number);
            } else {
                Checks.never(name + "-" + number);
            }
        }
    }
}
