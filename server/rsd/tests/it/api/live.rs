//! Calls in progress, and the stream that tells of them.

use serde_json::Value;

use super::house::{House, Made, after, now};

#[test]
fn calls_in_progress_until_they_end() {
    let mut house = House::open();
    let started = now();
    let up = |number| Made { number, started, ended: None, remote_uri: "sip:a@b" };
    house.send(&[up(1).record(), up(2).record(), up(3).record()]);
    let live = house.json("/api/v1/live/calls?limit=2");
    assert_eq!((&live["total"], live["items"].as_array().unwrap().len()), (&3.into(), 2));
    assert!(live["next"].is_string());
    let item = &live["items"][0];
    assert_eq!((&item["state"], &item["ended_at"]), (&"live".into(), &Value::Null));
    let report = |path: &str| house.get(path).body.matches("<cdr ").count();
    assert_eq!(report("/ems-rs/RT/CDRs/RM/details"), 3);
    assert_eq!(report("/ems-rs/HIST/CDRs/RM/details"), 0);
    let ended = Made { ended: Some(after(started, 1500)), ..up(2) };
    house.send(&[ended.record()]);
    assert_eq!(house.json("/api/v1/live/calls")["total"], 2);
    let live = house.json("/api/v1/calls?state=live")["items"].as_array().unwrap().len();
    let completed = house.json("/api/v1/calls?state=completed");
    assert_eq!((live, &completed["items"][0]["guid"]), (2, &ended.guid().into()));
    assert_eq!(house.json("/api/v1/calls")["items"].as_array().unwrap().len(), 3);
}

#[test]
fn the_stream_tells_what_changed() {
    let mut house = House::open();
    let mut stream = house.stream(&[]);
    let call = Made { number: 7, started: now(), ended: None, remote_uri: "sip:<b>@b" };
    house.send(&[call.record()]);
    let (event, data) = stream.next();
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(event, "calls");
    let item = &data["items"][0];
    assert_eq!((&item["guid"], &item["state"]), (&call.guid().into(), &"live".into()));
    assert_eq!(item["component"]["type"], "RM");
    assert_eq!(item["remote_uri"], "sip:<b>@b");
    let ended = Made { ended: Some(after(call.started, 10)), ..call };
    house.send(&[ended.record()]);
    let (_, data) = stream.next();
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["items"][0]["state"], "completed");

    // whoever comes back may have missed something
    let mut again = house.stream(&[("Last-Event-ID", "1")]);
    assert_eq!(again.next().0, "reset");
    house.rs.stop();
    let House { rs, .. } = house;
    assert!(!rs.wait().failed);
    assert!(stream.ends() && again.ends());
}

#[test]
fn a_stream_of_something_else_is_refused() {
    let house = House::open();
    let refusal = house.refusal("/api/v1/live/stream?topics=usage");
    assert_eq!(refusal, (400, "bad-enum".to_owned()));
    let refusal = house.refusal("/api/v1/live/stream?x=1");
    assert_eq!(refusal, (400, "unknown-parameter".to_owned()));
}

#[test]
fn streams_are_limited_and_a_place_comes_free_again() {
    let house = House::open();
    let mut streams: Vec<_> = (0..64).map(|_| house.stream(&[("Last-Event-ID", "1")])).collect();
    assert!(streams.iter_mut().all(|stream| stream.next().0 == "reset"));
    let refused = house.get("/api/v1/live/stream");
    assert_eq!((refused.status, &*refused.code()), (503, "too-many-streams"));
    assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    streams.pop();
    house.until(|house| {
        // one that is let in never ends, so only its head is looked at
        let mut socket = std::net::TcpStream::connect(house.rs.addresses().http).unwrap();
        let request = b"GET /api/v1/live/stream HTTP/1.1\r\nHost: rs\r\n\r\n";
        std::io::Write::write_all(&mut socket, request).unwrap();
        let mut head = [0; 12];
        std::io::Read::read_exact(&mut socket, &mut head).unwrap();
        &head == b"HTTP/1.1 200"
    });
}
