import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.MessageProducer;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * A stock ActiveMQ client that sends records to one queue: a connection, a session, a producer.
 *
 * <p>Alone it measures: {@code Producer URL QUEUE PRODUCERS WARM_UP_SECONDS SECONDS BYTES PREFIX}
 * has so many of them send records of that size, one at a time, and prints one line of JSON.
 * Records are whole calls with ids that begin with the prefix.
 */
public final class Producer implements AutoCloseable {
    final Connection connection;
    final Session session;
    final MessageProducer producer;

    Producer(String url, String queue, boolean transacted) throws JMSException {
        this(new ActiveMQConnectionFactory(url).createConnection(), queue, transacted);
    }

    Producer(Connection connection, String queue, boolean transacted) throws JMSException {
        this.connection = connection;
        try {
            connection.start();
            int mode = transacted ? Session.SESSION_TRANSACTED : Session.AUTO_ACKNOWLEDGE;
            session = connection.createSession(transacted, mode);
            producer = session.createProducer(session.createQueue(queue));
        } catch (JMSException refused) {
            connection.close();
            throw refused;
        }
    }

    /** Sends a text; unless the URL says otherwise it is on disk when this returns. */
    void send(String body) throws JMSException {
        producer.send(session.createTextMessage(body));
    }

    @Override
    public void close() throws JMSException {
        connection.close();
    }

    /** A call that has ended, as one record of about so many bytes; {@code id} is its Call-ID. */
    static String record(String id, int bytes) {
        Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        String head = "{\"schema\":1,\"kind\":\"cdr\",\"id\":\"java-1:" + id + "/cdr.end/0\""
            + ",\"time\":\"" + now + "\",\"producer\":{\"name\":\"java-1\"}"
            + ",\"component\":{\"name\":\"java-1\",\"type\":\"MCP\"},\"phase\":\"end\""
            + ",\"guid\":\"" + UUID.nameUUIDFromBytes(id.getBytes()) + "\""
            + ",\"session_id\":\"" + id + "\",\"started_at\":\"" + now.minusSeconds(60) + "\""
            + ",\"ended_at\":\"" + now + "\",\"call_type\":\"INBOUND\""
            + ",\"local_uri\":\"sip:18005550100@java.example\",\"call_id\":\"" + id + "\""
            + ",\"remote_uri\":\"sip:+4930123@java.example\",\"end_state\":\"APP_END\",\"pad\":\"";
        int room = bytes - head.length() - 2;
        return head + "x".repeat(Math.max(room, 0)) + "\"}";
    }

    public static void main(String[] args) throws Exception {
        String url = args[0];
        String queue = args[1];
        int producers = Integer.parseInt(args[2]);
        long warmUp = Long.parseLong(args[3]) * 1_000_000_000L;
        long measured = Long.parseLong(args[4]) * 1_000_000_000L;
        int bytes = Integer.parseInt(args[5]);
        String prefix = args[6];
        Measured[] all = new Measured[producers];
        Thread[] threads = new Thread[producers];
        CountDownLatch ready = new CountDownLatch(producers);
        for (int number = 0; number < producers; number++) {
            Measured own = new Measured();
            String name = prefix + "-" + number + "-";
            all[number] = own;
            threads[number] = new Thread(() -> {
                try (Producer producer = new Producer(url, queue, false)) {
                    ready.countDown();
                    ready.await();
                    own.run(producer, name, bytes, warmUp, measured);
                } catch (Exception broken) {
                    own.broken = broken;
                    ready.countDown();
                }
            });
            threads[number].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        print(all, measured);
    }

    private static void print(Measured[] all, long measured) {
        for (Measured own : all) {
            if (own.broken != null) {
                System.err.println(own.broken);
                System.exit(1);
            }
        }
        int sends = Arrays.stream(all).mapToInt(own -> own.count).sum();
        long[] times = new long[sends];
        int at = 0;
        for (Measured own : all) {
            System.arraycopy(own.nanos, 0, times, at, own.count);
            at += own.count;
        }
        Arrays.sort(times);
        long p50 = sends == 0 ? 0 : times[sends / 2] / 1000;
        long p99 = sends == 0 ? 0 : times[(int) (sends * 99L / 100)] / 1000;
        System.out.println("{\"sends\":" + sends + ",\"seconds\":" + measured / 1e9
            + ",\"p50_us\":" + p50 + ",\"p99_us\":" + p99 + "}");
    }

    /** What one producer has seen: how long each send took, warm-up left out. */
    private static final class Measured {
        long[] nanos = new long[1024];
        int count;
        volatile Exception broken;

        void run(Producer producer, String name, int bytes, long warmUp, long measured)
            throws JMSException {
            long begun = System.nanoTime();
            for (long number = 0; ; number++) {
                String body = record(name + number, bytes);
                long before = System.nanoTime();
                if (before - begun >= warmUp + measured) {
                    return;
                }
                producer.send(body);
                if (before - begun >= warmUp) {
                    if (count == nanos.length) {
                        nanos = Arrays.copyOf(nanos, 2 * count);
                    }
                    nanos[count++] = System.nanoTime() - before;
                }
            }
        }
    }
}
