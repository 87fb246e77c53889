import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.jms.Connection;
import javax.jms.Destination;
import javax.jms.InvalidClientIDException;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.Session;
import javax.jms.TransactionRolledBackException;
import javax.jms.XAConnection;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.apache.activemq.ActiveMQXAConnectionFactory;

/** What is not offered: each says so, and the connection and its producers go on. */
final class Refused {
    private static final List<String> XA =
        List.of("distributed transactions are not offered, local ones are");

    private interface Asked {
        void of(Session session) throws Exception;
    }

    static void all() {
        refused("consumer", "consumer on queue ringmaster.cdr", session ->
            session.createConsumer(session.createQueue(Checks.CDR)));
        refused("consumer-of-a-topic", "consumer on topic calls", session ->
            session.createConsumer(session.createTopic("calls")));
        refused("durable-subscriber", "consumer on topic calls", session ->
            session.createDurableSubscriber(session.createTopic("calls"), "mine"));
        refused("unsubscribe", "subscription", session -> session.unsubscribe("mine"));
        refused("browser", "consumer on queue ringmaster.cdr", session ->
            session.createBrowser(session.createQueue(Checks.CDR)).getEnumeration()
                .hasMoreElements());
        refused("pull", "consumer on queue ringmaster.cdr", session ->
            session.createConsumer(session.createQueue(Checks.CDR + "?consumer.prefetchSize=0"))
                .receive(1000));
        refused("temporary-queue", "temporary queue ID:", Session::createTemporaryQueue);
        refused("temporary-topic", "temporary topic ID:", Session::createTemporaryTopic);
        refused("another-queue", "queue orders", session -> session.createProducer(
            session.createQueue("orders")));
        refused("topic", "topic ringmaster.cdr", session -> session.createProducer(
            session.createTopic(Checks.CDR)));
        refused("composite-name", "queue ringmaster.cdr,ringmaster.or", session ->
            session.createProducer(session.createQueue("ringmaster.cdr,ringmaster.or")));
        refused("wildcard", "queue ringmaster.>", session -> session.createProducer(
            session.createQueue("ringmaster.>")));
        refused("send-to-another-queue", "queue orders", session -> send(session, "orders"));
        Checks.check("async-send-to-another-queue", Refused::async);
        Checks.check("transaction-with-another-queue", Refused::transaction);
        Checks.check("advisory", Refused::advisory);
        Checks.check("xa", Refused::xa);
        Checks.check("client-id-in-use", Refused::clientId);
    }

    private static void send(Session session, String queue) throws JMSException {
        Destination destination = session.createQueue(queue);
        session.createProducer(null).send(destination, session.createTextMessage("{}"));
    }

    private static void refused(String name, String what, Asked asked) {
        Checks.check(name, () -> {
            Connection connection = Checks.factory().createConnection();
            connection.setClientID("java-" + name);
            try (Producer producer = new Producer(connection, Checks.CDR, false)) {
                Checks.refused(JMSException.class, List.of(what, ": " + Checks.OFFER), () ->
                    asked.of(producer.session));
                goesOn(producer, name);
            }
        });
    }

    private static void goesOn(Producer producer, String name) throws Exception {
        producer.send(Producer.record("after-" + name, 0));
        Checks.sent("after-" + name);
    }

    /** Without an answer wanted the listener of the connection hears it. */
    private static void async() throws Exception {
        Connection connection = Checks.factory().createConnection();
        CompletableFuture<JMSException> heard = new CompletableFuture<>();
        connection.setExceptionListener(heard::complete);
        ((org.apache.activemq.ActiveMQConnection) connection).setUseAsyncSend(true);
        try (Producer producer = new Producer(connection, Checks.CDR, false)) {
            send(producer.session, "orders");
            String told = Checks.told(heard.get(120, TimeUnit.SECONDS));
            Checks.that(told, told.contains("queue orders: " + Checks.OFFER));
            goesOn(producer, "async");
        }
    }

    private static void transaction() throws Exception {
        try (Producer producer = new Producer(Checks.url(""), Checks.CDR, true)) {
            producer.send(Producer.record("beside-a-refused-one", 0));
            Checks.never("beside-a-refused-one");
            send(producer.session, "orders");
            List<String> told = List.of("queue orders: " + Checks.OFFER);
            Checks.refused(TransactionRolledBackException.class, told, producer.session::commit);
            producer.send(Producer.record("after-transaction", 0));
            producer.session.commit();
            Checks.sent("after-transaction");
        }
    }

    private static void advisory() throws Exception {
        try (Producer producer = new Producer(Checks.url(""), Checks.CDR, false)) {
            Session session = producer.session;
            MessageConsumer silent =
                session.createConsumer(session.createTopic("ActiveMQ.Advisory.Connection"));
            new Producer(Checks.url(""), Checks.CDR, false).close();
            Checks.that("nothing is told", silent.receiveNoWait() == null);
            silent.close();
            goesOn(producer, "advisory");
        }
    }

    private static void xa() throws Exception {
        XAConnection connection =
            new ActiveMQXAConnectionFactory(Checks.url("")).createXAConnection();
        try {
            connection.start();
            XAResource resource = connection.createXASession().getXAResource();
            Checks.refused(Exception.class, XA, () -> {
                Xid xid = new One();
                resource.start(xid, XAResource.TMNOFLAGS);
                resource.end(xid, XAResource.TMSUCCESS);
                resource.prepare(xid);
            });
            // it is still there to say so
            Checks.refused(Exception.class, XA, () -> resource.recover(XAResource.TMSTARTRSCAN));
        } finally {
            connection.close();
        }
    }

    private static final class One implements Xid {
        @Override
        public int getFormatId() {
            return 1;
        }

        @Override
        public byte[] getGlobalTransactionId() {
            return new byte[] {1};
        }

        @Override
        public byte[] getBranchQualifier() {
            return new byte[] {2};
        }
    }

    private static void clientId() throws Exception {
        Connection first = Checks.factory().createConnection();
        first.setClientID("one");
        try (Producer producer = new Producer(first, Checks.CDR, false)) {
            Checks.refused(InvalidClientIDException.class, List.of("another connection"), () -> {
                Connection second = Checks.factory().createConnection();
                try {
                    second.setClientID("one");
                    second.start();
                } finally {
                    second.close();
                }
            });
            goesOn(producer, "client-id");
        }
    }
}
