import java.nio.charset.StandardCharsets;
import javax.jms.BytesMessage;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.Session;
import javax.jms.StreamMessage;

/** What messages hold. */
final class Bodies {
    private interface Made {
        Message by(Session session) throws Exception;
    }

    static void all() {
        text("text", Producer.record("text", 0));
        text("text-of-200-kB", Producer.record("text-of-200-kB", 200_000));
        text("unicode", noted("unicode", "\\u0000 \uD83D\uDE00 \u20AC \\\" \uD800\uDC00"));
        send("bytes", session -> bytes(session, Producer.record("bytes", 0)));
        send("bytes-of-200-kB", session ->
            bytes(session, Producer.record("bytes-of-200-kB", 200_000)));
        send("bytes-with-a-bad-one", session -> {
            byte[] body = noted("bytes-with-a-bad-one", "#").getBytes(StandardCharsets.UTF_8);
            body[body.length - 3] = (byte) 0xFF;
            BytesMessage message = session.createBytesMessage();
            message.writeBytes(body);
            return message;
        });
        send("record-id-by-property", session -> {
            Message message = session.createTextMessage(withoutId("record-id-by-property"));
            message.setStringProperty("recordId", "java-1:by-property");
            return message;
        });
        send("record-id-by-correlation", session -> {
            Message message = session.createTextMessage(withoutId("record-id-by-correlation"));
            message.setJMSCorrelationID("java-1:by-correlation");
            return message;
        });
        for (String options : new String[] {"?jms.useCompression=true"}) {
            for (int size : new int[] {0, 200_000}) {
                String id = "compressed-" + size;
                Checks.check(id + "-text", () -> over(options, id + "-text", session ->
                    session.createTextMessage(noted(id + "-text", "\uD83D\uDE00", size))));
                Checks.check(id + "-bytes", () -> over(options, id + "-bytes", session ->
                    bytes(session, noted(id + "-bytes", "\uD83D\uDE00", size))));
            }
        }
        dead("a-raw-nul", session -> session.createTextMessage("{\"a\":\"\0\"}"));
        dead("no-json", session -> session.createTextMessage("call 17"));
        dead("an-array", session ->
            session.createTextMessage("[" + Producer.record("in", 0) + "]"));
        dead("no-utf-8", session -> {
            BytesMessage message = session.createBytesMessage();
            message.writeBytes(new byte[] {'{', (byte) 0xFF, '}'});
            return message;
        });
        dead("above-1-MiB", session ->
            session.createTextMessage(Producer.record("large", 1_100_000)));
        Checks.check("above-8-MiB", () -> {
            // larger than a frame may be: whoever comes back would send it for ever
            String url = "failover:(" + Checks.url("") + ")";
            try (Producer producer = new Producer(url, Checks.CDR, false)) {
                producer.send(Producer.record("above-8-MiB", 9_000_000));
                Checks.dead("above-8-MiB");
                producer.send(Producer.record("after-above-8-MiB", 0));
                Checks.sent("after-above-8-MiB");
            }
        });
        dead("a-map", session -> {
            MapMessage message = session.createMapMessage();
            message.setString("id", "1");
            message.setLong("time", 7);
            return message;
        });
        dead("a-stream", session -> {
            StreamMessage message = session.createStreamMessage();
            message.writeString("id");
            return message;
        });
        dead("an-object", session -> session.createObjectMessage("java.lang.Runtime"));
        dead("no-body", Session::createMessage);
        dead("an-empty-text", Session::createTextMessage);
    }

    private static BytesMessage bytes(Session session, String body) throws Exception {
        BytesMessage message = session.createBytesMessage();
        message.writeBytes(body.getBytes(StandardCharsets.UTF_8));
        return message;
    }

    private static String noted(String id, String note) {
        return noted(id, note, 0);
    }

    /** With a note, whose text is JSON's. */
    private static String noted(String id, String note, int bytes) {
        String record = Producer.record(id, bytes);
        return record.substring(0, record.length() - 1) + ",\"note\":\"" + note + "\"}";
    }

    private static String withoutId(String id) {
        return Producer.record(id, 0).replaceFirst("\"id\":\"[^\"]*\",", "");
    }

    private static void text(String name, String body) {
        send(name, session -> session.createTextMessage(body));
    }

    private static void send(String name, Made made) {
        Checks.check(name, () -> over("", name, made));
    }

    private static void over(String options, String name, Made made) throws Exception {
        try (Producer producer = new Producer(Checks.url(options), Checks.CDR, false)) {
            producer.producer.send(made.by(producer.session));
        }
        Checks.sent(name);
    }

    private static void dead(String name, Made made) {
        Checks.check(name, () -> {
            try (Producer producer = new Producer(Checks.url(""), Checks.CDR, false)) {
                producer.producer.send(made.by(producer.session));
            }
            Checks.dead(name);
        });
    }
}
