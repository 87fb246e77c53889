// Debian's ActiveMQ, embedded: KahaDB as it comes (each commit is synced), one connector, and a
// stock client that takes everything out again when it is asked to by a line `take`.

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.util.List;
import java.util.Map;
import javax.jms.Connection;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.net.ssl.KeyManagerFactory;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.broker.BrokerPlugin;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.broker.SslContext;
import org.apache.activemq.broker.region.Destination;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.security.AuthenticationUser;
import org.apache.activemq.security.SimpleAuthenticationPlugin;
import org.apache.activemq.store.kahadb.KahaDBPersistenceAdapter;

public class Broker {
    static final String[] QUEUES = {
        "ringmaster.cdr", "ringmaster.event", "ringmaster.or", "ringmaster.sq"
    };

    /** Folder, URL to listen on, then by names: user, password, keystore (its password: secret). */
    public static void main(String[] arguments) throws Exception {
        Map<String, String> named = new java.util.HashMap<>();
        for (int i = 2; i + 1 < arguments.length; i += 2) {
            named.put(arguments[i], arguments[i + 1]);
        }
        BrokerService broker = new BrokerService();
        broker.setBrokerName("broker");
        broker.setUseJmx(false);
        broker.setUseShutdownHook(false);
        KahaDBPersistenceAdapter store = new KahaDBPersistenceAdapter();
        store.setDirectory(new File(arguments[0]));
        broker.setPersistenceAdapter(store);
        broker.getSystemUsage().getStoreUsage().setLimit(1L << 30);
        broker.getSystemUsage().getTempUsage().setLimit(1L << 28);
        String user = named.get("user");
        if (user != null) {
            AuthenticationUser one = new AuthenticationUser(user, named.get("password"), "users");
            broker.setPlugins(new BrokerPlugin[] {new SimpleAuthenticationPlugin(List.of(one))});
        }
        if (named.containsKey("keystore")) {
            char[] secret = "secret".toCharArray();
            KeyStore keys = KeyStore.getInstance("PKCS12");
            keys.load(new FileInputStream(named.get("keystore")), secret);
            KeyManagerFactory factory =
                    KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            factory.init(keys, secret);
            SslContext context = new SslContext();
            context.setKeyManagers(List.of(factory.getKeyManagers()));
            broker.setSslContext(context);
        }
        broker.addConnector(arguments[1]);
        broker.start();
        broker.waitUntilStarted();
        System.out.println("listening");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.equals("take")) {
                take(broker, user, named.get("password"));
            }
        }
        System.exit(0);
    }

    /** Everything on the queues, a line each, by the stock client; then how many there were. */
    static void take(BrokerService broker, String user, String password) throws Exception {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory("vm://broker?create=false");
        Connection connection = factory.createConnection(user, password);
        connection.start();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        int taken = 0;
        for (String name : QUEUES) {
            ActiveMQDestination queue = new ActiveMQQueue(name);
            Destination held = broker.getBroker().getDestinationMap().get(queue);
            if (held == null) {
                continue;
            }
            long count = held.getDestinationStatistics().getMessages().getCount();
            MessageConsumer consumer = session.createConsumer(queue);
            for (long i = 0; i < count; i++) {
                Message message = consumer.receive();
                String text = ((TextMessage) message).getText();
                System.out.println(
                        "record " + name + " " + message.getStringProperty("recordId") + " " + text);
                taken++;
            }
            consumer.close();
        }
        connection.close();
        System.out.println("taken " + taken);
    }
}
