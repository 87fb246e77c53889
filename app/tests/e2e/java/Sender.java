// Stock ActiveMQ clients that send what they are told on standard input: a line `NAME COUNT`, then
// so many lines `QUEUE RECORD`. One record is a message that is sent synchronously, several are a
// transaction. When the client says that it is stored, so does a line `stored NAME`; when it
// gives up, `failed NAME`; `broken WHY` when it is told of an error outside a call. Each of the given
// number of threads has a connection of its own, to the URLs in turn.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.MessageProducer;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnectionFactory;

public class Sender {
    record Task(String name, List<String> records) {}

    /** A session with a producer for each queue. */
    static final class Lane {
        final Session session;
        private final Map<String, MessageProducer> producers = new HashMap<>();

        Lane(Session session) {
            this.session = session;
        }

        /** A line `QUEUE RECORD`. */
        void send(String line) throws JMSException {
            String[] parts = line.split(" ", 2);
            MessageProducer producer = producers.get(parts[0]);
            if (producer == null) {
                producer = session.createProducer(session.createQueue(parts[0]));
                producers.put(parts[0], producer);
            }
            producer.send(session.createTextMessage(parts[1]));
        }
    }

    static final BlockingQueue<Task> TASKS = new LinkedBlockingQueue<>();
    static final Task END = new Task("", List.of());

    /** Number of threads, URLs. */
    public static void main(String[] arguments) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(arguments[0]); i++) {
            String url = arguments[1 + i % (arguments.length - 1)];
            Thread thread = new Thread(() -> work(url));
            thread.start();
            threads.add(thread);
        }
        InputStreamReader bytes = new InputStreamReader(System.in, StandardCharsets.UTF_8);
        BufferedReader input = new BufferedReader(bytes);
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] head = line.split(" ");
            List<String> records = new ArrayList<>();
            for (int i = 0; i < Integer.parseInt(head[1]); i++) {
                records.add(input.readLine());
            }
            TASKS.add(new Task(head[0], records));
        }
        threads.forEach(thread -> TASKS.add(END));
        for (Thread thread : threads) {
            thread.join();
        }
        System.exit(0);
    }

    static void work(String url) {
        try {
            Connection connection = new ActiveMQConnectionFactory(url).createConnection();
            if (!url.startsWith("failover:")) {
                connection.setExceptionListener(error -> say("broken " + error));
            }
            connection.start();
            Lane plain = new Lane(connection.createSession(false, Session.AUTO_ACKNOWLEDGE));
            Lane transacted = new Lane(connection.createSession(true, Session.SESSION_TRANSACTED));
            for (Task task = TASKS.take(); task != END; task = TASKS.take()) {
                say(send(task, plain, transacted) + " " + task.name());
            }
            connection.close();
        } catch (Exception error) {
            say("broken " + error);
        }
    }

    static String send(Task task, Lane plain, Lane transacted) {
        try {
            if (task.records().size() == 1) {
                plain.send(task.records().get(0));
                return "stored";
            }
            for (String record : task.records()) {
                transacted.send(record);
            }
            transacted.session.commit();
            return "stored";
        } catch (JMSException error) {
            // a transaction that a broken connection has rolled back, mostly
            try {
                transacted.session.rollback();
            } catch (JMSException ignored) {
                // it is over in any case
            }
            return "failed";
        }
    }

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
