// Stock ActiveMQ clients that send what they are told on standard input: a line `NAME COUNT`, then
// so many records, one a line. One record is a message that is sent synchronously, several are a
// transaction. When the client says that it is stored, so does a line `stored NAME`; when it
// gives up, `failed NAME`; `broken WHY` when it is told of an error outside a call. Each of the given
// number of threads has a connection of its own, to the URLs in turn.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.MessageProducer;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnectionFactory;

public class Sender {
    record Task(String name, List<String> records) {}

    static final BlockingQueue<Task> TASKS = new LinkedBlockingQueue<>();
    static final Task END = new Task("", List.of());

    /** Queue, number of threads, URLs. */
    public static void main(String[] arguments) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(arguments[1]); i++) {
            String url = arguments[2 + i % (arguments.length - 2)];
            Thread thread = new Thread(() -> work(url, arguments[0]));
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

    static void work(String url, String queue) {
        try {
            Connection connection = new ActiveMQConnectionFactory(url).createConnection();
            if (!url.startsWith("failover:")) {
                connection.setExceptionListener(error -> say("broken " + error));
            }
            connection.start();
            Session plain = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            Session transacted = connection.createSession(true, Session.SESSION_TRANSACTED);
            MessageProducer single = plain.createProducer(plain.createQueue(queue));
            MessageProducer several = transacted.createProducer(transacted.createQueue(queue));
            for (Task task = TASKS.take(); task != END; task = TASKS.take()) {
                say(send(task, plain, single, transacted, several) + " " + task.name());
            }
            connection.close();
        } catch (Exception error) {
            say("broken " + error);
        }
    }

    static String send(
            Task task,
            Session plain,
            MessageProducer single,
            Session transacted,
            MessageProducer several) {
        try {
            if (task.records().size() == 1) {
                single.send(plain.createTextMessage(task.records().get(0)));
                return "stored";
            }
            for (String record : task.records()) {
                several.send(transacted.createTextMessage(record));
            }
            transacted.commit();
            return "stored";
        } catch (JMSException error) {
            // a transaction that a broken connection has rolled back, mostly
            try {
                transacted.rollback();
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
