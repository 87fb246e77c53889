// Producers of records for `cargo xtask bench ingest`: a connection each, the stock client of
// ActiveMQ, persistent messages of about 1 KiB, each sent when the one before is answered. The
// records are those of whole calls (start, 20 events, end), all of them valid and distinct.

import java.time.Instant;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.MessageProducer;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnectionFactory;

public class Producers {
    static final int EVENTS = 20;
    static final int BYTES = 1024;
    /** Nanoseconds from a message of one producer to its next; 0: it waits for nothing. */
    static long step;
    static volatile boolean measures;
    static volatile boolean ends;

    /**
     * URL, how many, milliseconds before and while it is measured, a word that no other run has,
     * messages a second of all (0: as many as are answered).
     */
    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[1]);
        long rate = Long.parseLong(arguments[5]);
        step = rate == 0 ? 0 : count * 1_000_000_000L / rate;
        Producer[] all = new Producer[count];
        CountDownLatch connected = new CountDownLatch(count);
        Thread[] threads = new Thread[count];
        for (int i = 0; i < count; i++) {
            all[i] = new Producer(arguments[0], arguments[4], i, connected);
            threads[i] = new Thread(all[i]);
            threads[i].start();
        }
        connected.await();
        Thread.sleep(Long.parseLong(arguments[2]));
        long start = System.nanoTime();
        measures = true;
        System.out.println("begin");
        Thread.sleep(Long.parseLong(arguments[3]));
        measures = false;
        double seconds = (System.nanoTime() - start) / 1e9;
        System.out.println("end");
        ends = true;
        int sent = 0;
        for (int i = 0; i < count; i++) {
            threads[i].join();
            if (all[i].failure != null) {
                throw all[i].failure;
            }
            sent += all[i].measured;
        }
        long[] times = new long[sent];
        int at = 0;
        for (Producer one : all) {
            System.arraycopy(one.times, 0, times, at, one.measured);
            at += one.measured;
        }
        Arrays.sort(times);
        System.out.printf(
                "rate=%.1f p50_us=%d p99_us=%d%n",
                sent / seconds, times[sent / 2] / 1000, times[(int) (sent * 0.99)] / 1000);
        System.exit(0);
    }

    static class Producer implements Runnable {
        final String url;
        final String run;
        final int number;
        final CountDownLatch connected;
        long[] times = new long[1024];
        int measured;
        Exception failure;
        int cdrs;
        int events;
        /** When the next message is to go. */
        long due;

        Producer(String url, String run, int number, CountDownLatch connected) {
            this.url = url;
            this.run = run;
            this.number = number;
            this.connected = connected;
        }

        @Override
        public void run() {
            try {
                work();
            } catch (Exception error) {
                failure = error;
                connected.countDown();
            }
        }

        void work() throws Exception {
            ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(url);
            factory.setWatchTopicAdvisories(false);
            Connection connection = factory.createConnection();
            connection.start();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            MessageProducer cdr = session.createProducer(session.createQueue("ringmaster.cdr"));
            MessageProducer event = session.createProducer(session.createQueue("ringmaster.event"));
            cdr.setDeliveryMode(DeliveryMode.PERSISTENT);
            event.setDeliveryMode(DeliveryMode.PERSISTENT);
            connected.countDown();
            due = System.nanoTime();
            for (int call = 0; !ends; call++) {
                String guid = String.format("%s-%04d-7000-8000-%012d", run, number, call);
                Instant start = Instant.now();
                send(session, cdr, cdr(guid, "start", start));
                for (int i = 0; i < EVENTS && !ends; i++) {
                    send(session, event, event(guid, i));
                }
                send(session, cdr, cdr(guid, "end", start));
            }
            connection.close();
        }

        void send(Session session, MessageProducer producer, String text) throws Exception {
            for (long left; step > 0 && (left = due - System.nanoTime()) > 0; ) {
                LockSupport.parkNanos(left);
            }
            due += step;
            TextMessage message = session.createTextMessage(text);
            long before = System.nanoTime();
            producer.send(message);
            long time = System.nanoTime() - before;
            if (measures) {
                if (measured == times.length) {
                    times = Arrays.copyOf(times, measured * 2);
                }
                times[measured++] = time;
            }
        }

        String head(String kind, String id, String stream, int seq) {
            return "{\"schema\":1,\"kind\":\"" + kind + "\",\"id\":\"" + id + "\",\"time\":\""
                    + Instant.now().truncatedTo(java.time.temporal.ChronoUnit.MILLIS)
                    + "\",\"producer\":{\"name\":\"bench-" + number + "\",\"boot\":"
                    + Long.parseLong(run, 16) + ",\"seq\":" + seq + ",\"stream\":\"" + stream
                    + "\"},\"component\":{\"name\":\"bench-" + number + "\",\"type\":\"RM\"},";
        }

        String cdr(String guid, String phase, Instant start) {
            String started = start.truncatedTo(java.time.temporal.ChronoUnit.MILLIS).toString();
            String ended = Instant.now().plusSeconds(1)
                    .truncatedTo(java.time.temporal.ChronoUnit.MILLIS).toString();
            String more = phase.equals("end")
                    ? ",\"ended_at\":\"" + ended + "\",\"end_state\":\"USER_END\",\"reason\":\"normal\""
                    : "";
            return head("cdr", guid + "/00690001/cdr." + phase + "/1.1", "cdr", ++cdrs)
                    + "\"config_rev\":77,\"phase\":\"" + phase + "\",\"guid\":\"" + guid
                    + "\",\"leg\":\"00690001\",\"session_id\":\"" + guid + ".00690001\",\"epoch\":1,"
                    + "\"started_at\":\"" + started + "\",\"answered_at\":\"" + started + "\"" + more
                    + ",\"call_type\":\"INBOUND\",\"tenant\":{\"name\":\"acme\",\"dbid\":102,\"path\":["
                    + "{\"name\":\"Environment\",\"dbid\":1},{\"name\":\"acme\",\"dbid\":102}]},"
                    + "\"profile\":{\"name\":\"acme-main\",\"dbid\":189,\"service\":\"voicexml\"},"
                    + "\"service\":\"voicexml\",\"dn\":\"1800555" + String.format("%04d", (cdrs - 1) / 2 % 10000)
                    + "\",\"local_uri\":\"sip:18005550100@gvp.example\","
                    + "\"remote_uri\":\"sip:+4930123@gw.example\",\"call_id\":\"" + guid + "@gw\","
                    + "\"resource\":{\"group\":\"mcp\",\"name\":\"mcp-1\",\"dbid\":310,"
                    + "\"address\":\"sip:127.0.0.1:5070\",\"attempts\":1},\"sip_status\":200,"
                    + "\"primary\":true,\"selected_by\":\"did\",\"placed_by\":\"least-used\"}";
        }

        String event(String guid, int i) {
            String head = head("call.event", guid + "/ev/" + i, "event", ++events)
                    + "\"guid\":\"" + guid + "\",\"session_id\":\"" + guid
                    + ".00690001\",\"level\":\"METRIC\",\"log_id\":\"" + logId(i) + "\",\"text\":\"";
            return head + "x".repeat(Math.max(1, BYTES - head.length() - 2)) + "\"}";
        }

        /// One port of a recogniser, and what an application plays and hears.
        static String logId(int i) {
            return i == 1 ? "asr_open" : i == EVENTS - 2 ? "asr_close" : i % 2 == 0 ? "prompt_play" : "input_end";
        }
    }
}
