import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.List;
import java.util.function.BooleanSupplier;
import javax.jms.JMSException;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * What a stock ActiveMQ client does to the Reporting Server: one line {@code PASS name} or {@code
 * FAIL name: why} a check.
 *
 * <p>What has to be in the database once is told by {@code SENT id}, what must not be there by
 * {@code NEVER id}, what has to be a dead letter by {@code DEAD name}. {@code ASK what} waits for
 * a line on stdin: the caller has done it.
 */
public final class Checks {
    static final String CDR = "ringmaster.cdr";
    static final String OFFER =
        "ringmaster takes records on ringmaster.cdr, .event, .or, .sq; consuming is not offered";

    private static final BufferedReader ANSWERS =
        new BufferedReader(new InputStreamReader(System.in));
    static int port;

    interface Check {
        void run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        port = Integer.parseInt(args[1]);
        switch (args[0]) {
            case "bodies" -> Bodies.all();
            case "sends" -> Sends.all();
            case "failover" -> Failovers.all();
            case "options" -> Options.all();
            case "refused" -> Refused.all();
            case "logins" -> Logins.all();
            case "tls" -> Secure.all(args[2]);
            default -> throw new IllegalArgumentException(args[0]);
        }
        System.out.println("END");
    }

    static void check(String name, Check check) {
        try {
            check.run();
            System.out.println("PASS " + name);
        } catch (Throwable why) {
            System.out.println("FAIL " + name + ": " + told(why));
        }
    }

    /** A URL of the server, with options that begin with a question mark. */
    static String url(String options) {
        return "tcp://127.0.0.1:" + port + options;
    }

    static ActiveMQConnectionFactory factory() {
        return new ActiveMQConnectionFactory(url(""));
    }

    static void sent(String id) {
        System.out.println("SENT " + id);
    }

    static void never(String id) {
        System.out.println("NEVER " + id);
    }

    static void dead(String name) {
        System.out.println("DEAD " + name);
    }

    static void ask(String what) throws IOException {
        System.out.println("ASK " + what);
        if (ANSWERS.readLine() == null) {
            throw new IOException("nobody answers");
        }
    }

    /** Waits for what has to come. */
    static void until(String what, BooleanSupplier condition) throws InterruptedException {
        long begun = System.nanoTime();
        while (!condition.getAsBoolean()) {
            that(what, System.nanoTime() - begun < 120_000_000_000L);
            Thread.sleep(10);
        }
    }

    static void that(String what, boolean is) {
        if (!is) {
            throw new AssertionError(what);
        }
    }

    /** It throws an exception of this class, somewhere in whose chain these texts stand. */
    static void refused(Class<? extends Exception> kind, List<String> texts, Check check)
        throws Exception {
        try {
            check.run();
        } catch (Exception why) {
            String told = told(why);
            that(told, kind.isInstance(why) && texts.stream().allMatch(told::contains));
            return;
        }
        throw new AssertionError("not refused: " + texts);
    }

    /** An exception with all that stands behind it. */
    static String told(Throwable why) {
        StringBuilder text = new StringBuilder();
        for (Throwable one = why; one != null; one = one.getCause()) {
            text.append(one).append("; ");
            if (one instanceof JMSException && one.getCause() == null) {
                Exception linked = ((JMSException) one).getLinkedException();
                text.append(linked == null ? "" : linked.toString());
            }
        }
        return text.toString().replace('\n', ' ');
    }
}
