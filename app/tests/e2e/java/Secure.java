import org.apache.activemq.ActiveMQSslConnectionFactory;

/** TLS on the same port. */
final class Secure {
    static void all(String authorities) {
        Checks.check("tls", () -> {
            try (Producer producer = producer("ssl://127.0.0.1:" + Checks.port, authorities)) {
                producer.send(Producer.record("tls", 0));
                producer.send(Producer.record("tls-of-200-kB", 200_000));
                Checks.sent("tls");
                Checks.sent("tls-of-200-kB");
            }
        });
        Checks.check("tls-and-failover", () -> {
            String url = "failover:(ssl://127.0.0.1:" + Checks.port + ")";
            try (Producer producer = producer(url, authorities)) {
                producer.send(Producer.record("tls-and-failover", 0));
                Checks.sent("tls-and-failover");
            }
        });
        Checks.check("plain-beside-it", () -> {
            try (Producer producer = new Producer(Checks.url(""), Checks.CDR, false)) {
                producer.send(Producer.record("plain-beside-it", 0));
                Checks.sent("plain-beside-it");
            }
        });
    }

    private static Producer producer(String url, String authorities) throws Exception {
        ActiveMQSslConnectionFactory factory = new ActiveMQSslConnectionFactory(url);
        factory.setTrustStore(authorities);
        factory.setTrustStorePassword("secret");
        return new Producer(factory.createConnection(), Checks.CDR, false);
    }
}
