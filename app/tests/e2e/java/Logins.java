import java.util.List;
import javax.jms.Connection;
import javax.jms.JMSSecurityException;

/** Users and passwords. */
final class Logins {
    static void all(String user, String password) {
        Checks.check("right-password", () -> {
            Connection connection = Checks.factory().createConnection(user, password);
            try (Producer producer = new Producer(connection, Checks.CDR, false)) {
                producer.send(Producer.record("right-password", 0));
                Checks.sent("right-password");
            }
        });
        wrong("wrong-password", user, password + "x");
        wrong("unknown-user", "nobody", password);
        wrong("no-user", null, null);
    }

    private static void wrong(String name, String user, String password) {
        List<String> told = List.of("password");
        Checks.check(name, () -> Checks.refused(JMSSecurityException.class, told, () -> {
            Connection connection = Checks.factory().createConnection(user, password);
            new Producer(connection, Checks.CDR, false).close();
        }));
    }
}
