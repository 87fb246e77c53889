import java.util.ArrayList;
import java.util.List;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.openwire.OpenWireFormat;

/** What a client may ask for in its greeting: all of it is taken, or done without. */
final class Options {
    static void all() {
        List<String> options = new ArrayList<>(List.of(""));
        for (boolean tight : new boolean[] {false, true}) {
            for (boolean cache : new boolean[] {false, true}) {
                options.add("?wireFormat.tightEncodingEnabled=" + tight
                    + "&wireFormat.cacheEnabled=" + cache);
            }
        }
        for (int version : new int[] {12, 11, 10, 9, 1}) {
            options.add("?wireFormat.version=" + version);
        }
        options.add("?wireFormat.sizePrefixDisabled=true");
        options.add("?wireFormat.stackTraceEnabled=false");
        options.add("?wireFormat.maxInactivityDuration=0");
        options.add("?jms.watchTopicAdvisories=false");
        options.add("?jms.dispatchAsync=false&jms.alwaysSyncSend=true");
        for (String one : options) {
            String name = one.isEmpty() ? "defaults" : one.substring(1);
            Checks.check(name, () -> {
                try (Producer producer = new Producer(Checks.url(one), Checks.CDR, true)) {
                    agreed(producer, one);
                    String id = "option-" + options.indexOf(one);
                    producer.send(Producer.record(id, 0));
                    producer.session.commit();
                    Checks.sent(id);
                }
            });
        }
        Checks.check("keep-alive", () -> {
            try (Relay relay = new Relay(Checks.port)) {
                String url = "tcp://127.0.0.1:" + relay.port()
                    + "?wireFormat.maxInactivityDuration=6000"
                    + "&wireFormat.maxInactivityDurationInitalDelay=1000";
                try (Producer producer = new Producer(url, Checks.CDR, false)) {
                    Checks.until("keep-alives come", () -> relay.keepAlives.get() >= 4);
                    producer.send(Producer.record("kept-alive", 0));
                    Checks.sent("kept-alive");
                }
            }
        });
    }

    /** Both speak the version that was asked for, the usual one if none was, loose and uncached. */
    private static void agreed(Producer producer, String options) {
        ActiveMQConnection connection = (ActiveMQConnection) producer.connection;
        OpenWireFormat format = (OpenWireFormat) connection.getTransport().getWireFormat();
        String asked = "wireFormat.version=";
        int at = options.indexOf(asked);
        int version = at < 0 ? 12 : Integer.parseInt(options.substring(at + asked.length()));
        Checks.that("version " + format.getVersion(), format.getVersion() == version);
        Checks.that("loose", !format.isTightEncodingEnabled());
        Checks.that("without a cache", !format.isCacheEnabled());
    }
}
