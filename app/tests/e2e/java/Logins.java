import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import javax.jms.JMSSecurityException;
import org.apache.activemq.ActiveMQConnectionFactory;

/** Users and their passwords. */
final class Logins {
    private static final String WRONG = "the user name or the password is wrong";

    static void all() {
        Checks.check("right-password", () -> {
            try (Producer producer = producer(Checks.url(""), "mcp-1", "secret")) {
                producer.send(Producer.record("right-password", 0));
                Checks.sent("right-password");
            }
        });
        Checks.check("wrong-password", () -> refused("mcp-1", "Secret", WRONG));
        Checks.check("unknown-user", () -> refused("mcp-2", "secret", WRONG));
        Checks.check("no-password", () -> refused("mcp-1", null, WRONG));
        Checks.check("another-role", () ->
            refused("anna", "secret", "user anna may not send records: the role is producer"));
        Checks.check("no-user", () ->
            refused(null, null, "this listener needs a user name and a password"));
        Checks.check("locked-out-and-back", Logins::lockedOut);
    }

    private static Producer producer(String url, String user, String password) throws Exception {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(url);
        return new Producer(factory.createConnection(user, password), Checks.CDR, false);
    }

    private static void refused(String user, String password, String text) throws Exception {
        Checks.refused(JMSSecurityException.class, List.of(text), () ->
            producer(Checks.url(""), user, password).close());
    }

    /** A client that had been let in, and is not after a restart, goes on trying until it is. */
    private static void lockedOut() throws Exception {
        String url = "failover:(" + Checks.url("") + ")?initialReconnectDelay=100&maxReconnectDelay=500";
        AtomicReference<Exception> broken = new AtomicReference<>();
        CountDownLatch done = new CountDownLatch(1);
        try (Producer producer = producer(url, "mcp-1", "secret")) {
            producer.send(Producer.record("before-the-lock-out", 0));
            Checks.sent("before-the-lock-out");
            Checks.ask("lock out");
            Thread sending = new Thread(() -> {
                try {
                    producer.send(Producer.record("behind-the-lock-out", 0));
                    Checks.sent("behind-the-lock-out");
                } catch (Exception why) {
                    broken.set(why);
                }
                done.countDown();
            });
            sending.start();
            Checks.ask("let in");
            sending.join();
        }
        if (broken.get() != null) {
            throw broken.get();
        }
        Checks.that("it was sent", done.getCount() == 0);
    }
}
