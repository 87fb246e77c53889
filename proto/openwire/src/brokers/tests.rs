//! What is accepted, what is idle, what is refused and in which words.

use super::{Brokers, BrokersError};
use std::time::Duration;

fn read(text: &str) -> Brokers {
    Brokers::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn addresses_and_lists() {
    for (text, shown, failover) in [
        ("tcp://a:61616", "tcp://a:61616", false),
        ("nio://a.example:1/", "tcp://a.example:1", false),
        ("ssl://[2001:db8::1]:61617", "ssl://[2001:db8::1]:61617", false),
        ("nio+ssl://10.0.0.1:61617?keepAlive=true", "ssl://10.0.0.1:61617", false),
        ("failover:(tcp://a:1,ssl://b:2)", "tcp://a:1, ssl://b:2", true),
        ("failover://(tcp://a:1, tcp://b:2)?randomize=false", "tcp://a:1, tcp://b:2", true),
        ("failover:tcp://a:1,tcp://b:2?randomize=false", "tcp://a:1, tcp://b:2", true),
        ("failover:(tcp://a:1)", "tcp://a:1", true),
    ] {
        let brokers = read(text);
        assert_eq!((brokers.to_string().as_str(), brokers.failover.is_some()), (shown, failover));
    }
    assert!(read("failover:(tcp://a:1,ssl://b:2)").any_tls());
    assert!(!read("tcp://a:1").any_tls());
}

#[test]
fn options_are_obeyed() {
    let options = |query: &str| {
        read(&format!("failover:(tcp://a:1,tcp://b:2,tcp://c:3)?{query}")).failover.unwrap()
    };
    let plain = options("");
    assert!(plain.randomize && plain.learns && plain.moves && plain.preferred.is_empty());
    let all = options(
        "randomize=false&initialReconnectDelay=20&maxReconnectDelay=5000&backOffMultiplier=1.5&\
         updateURIsSupported=false&reconnectSupported=false&maxReconnectAttempts=-1&timeout=-1",
    );
    assert!(!all.randomize && !all.learns && !all.moves);
    let delays = [all.first_delay, all.longest_delay].map(|delay| delay.unwrap().as_millis());
    assert_eq!((delays, all.factor.to_bits()), ([20, 5000], 1.5_f64.to_bits()));
    assert_eq!(options("useExponentialBackOff=false").factor.to_bits(), 1.0_f64.to_bits());
    assert_eq!(options("priorityBackup=true").preferred, [0]);
    assert_eq!(options("priorityBackup=true&priorityURIs=tcp://C:3,tcp://b:2").preferred, [2, 1]);

    let nested = "failover:(tcp://a:1?connectionTimeout=7,tcp://b:2)?nested.connectionTimeout=9&\
                  nested.wireFormat.maxInactivityDuration=0&trackMessages=true&nested.trace=true";
    let brokers = read(nested);
    let told: Vec<_> = brokers.list.iter().map(|one| (one.connect, one.inactivity)).collect();
    let millis = |millis| Some(Duration::from_millis(millis));
    assert_eq!(told, [(millis(7), millis(0)), (millis(9), millis(0))]);
    assert_eq!(brokers.idle, ["trackMessages", "trace"]);
}

#[test]
fn what_is_wrong_is_said() {
    let many: Vec<_> = (1..=17).map(|port| format!("tcp://a:{port}")).collect();
    for (text, told) in [
        ("", "expected tcp://host:port, ssl://host:port or failover:(…,…)"),
        ("a:61616", "expected tcp://host:port, ssl://host:port or failover:(…,…)"),
        (
            "fanout:(tcp://a:1)",
            "fanout: is not spoken here; there are tcp, nio, ssl, nio+ssl and failover",
        ),
        ("amqp://a:1", "amqp: is not spoken here; there are tcp, nio, ssl, nio+ssl and failover"),
        ("tcp:a:1", "expected tcp://host:port, ssl://host:port or failover:(…,…)"),
        ("tcp://a", "tcp://a: expected host:port"),
        ("tcp://a:0", "tcp://a:0: expected host:port"),
        ("tcp://999.1.1.1:1", "tcp://999.1.1.1:1: expected host:port"),
        ("tcp://u:p@a:1", "user and password stand in settings of their own, not in the address"),
        ("failover:(tcp://a:1", "a parenthesis is missing"),
        ("failover:(tcp://a:1)x", "expected tcp://host:port, ssl://host:port or failover:(…,…)"),
        ("failover:()", "expected 1 to 16 brokers, found 0"),
        (&format!("failover:({})", many.join(",")), "expected 1 to 16 brokers, found 17"),
        ("failover:(tcp://a:1,ssl://A:1)", "ssl://A:1 stands twice"),
        ("tcp://a:1?randomize=false", "there is no option randomize"),
        ("failover:(tcp://a:1)?amp;timeout=-1", "there is no option amp;timeout"),
        ("failover:(tcp://a:1)?randomize=no", "randomize=no: expected true or false"),
        ("failover:(tcp://a:1)?randomize", "randomize=: expected a value behind an equals sign"),
        (
            "failover:(tcp://a:1)?maxReconnectDelay=0",
            "maxReconnectDelay=0: expected 1 to 3600000 (ms)",
        ),
        ("failover:(tcp://a:1)?backOffMultiplier=0.5", "backOffMultiplier=0.5: expected 1 to 10"),
    ] {
        assert_eq!(Brokers::parse(text).unwrap_err().to_string(), told, "{text}");
    }
    for text in [
        "failover:(tcp://a:1)?maxReconnectAttempts=10",
        "failover:(tcp://a:1)?timeout=3000",
        "failover:(tcp://a:1)?jms.useAsyncSend=true",
        "failover:(tcp://a:1)?updateURIsURL=file:x",
        "ssl://a:1?socket.verifyHostName=false",
    ] {
        let error = Brokers::parse(text).unwrap_err();
        assert!(matches!(error, BrokersError::Refused { .. }), "{text}: {error}");
    }
    let error = Brokers::parse("failover:(tcp://a:1)?priorityBackup=true&priorityURIs=tcp://b:1");
    assert!(matches!(error, Err(BrokersError::Value { .. })), "{error:?}");
}
