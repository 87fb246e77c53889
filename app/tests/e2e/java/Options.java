import java.util.ArrayList;
import java.util.List;

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
}
