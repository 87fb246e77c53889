//! How fast records come into the database when it is full, as words for `cargo xtask bench
//! ingest --store`: `store DIRECTORY|postgres://… CALLS SECONDS BACKLOG`.
//!
//! A database without records is filled first: that many calls, 250,000 a day, by the way that
//! all records take, in large batches, without events. Then whole calls of now (start, 20 events,
//! end) come in batches as the applier makes them: for so many seconds, and then a backlog of so
//! many records while 1,000 more come each second.

#![expect(clippy::print_stdout, reason = "the words are what this program is for")]
#![expect(clippy::unwrap_used, reason = "a bench that fails, fails")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::time::Millis;
use rsd::entry::{Body, Entry, Message, Transport};
use rsd::store::checkpoints::Due;
use rsd::store::postgres::{Beside, Parts, Postgres, Target};
use rsd::store::sqlite::Sqlite;
use rsd::store::{Arrival, Store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Calls of one day of the seed.
const DAY_CALLS: u64 = 250_000;
const DAY_MS: u64 = 86_400_000;
/// Records of a batch of the applier.
const BATCH: usize = 2000;
/// Calls of a batch of the seed: an end record each.
const SEED_BATCH: u64 = 10_000;
const EVENTS: u64 = 20;
/// Records of one call of the load.
const CALL: u64 = EVENTS + 2;
/// What comes beside a backlog, records a second.
const BESIDE: f64 = 1000.0;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let [dir, calls, seconds, backlog] = &arguments[..] else {
        // as one of all benches of the workspace
        return;
    };
    let calls: u64 = calls.parse().unwrap();
    let mut desk = Desk::open(dir);
    // each batch of the seed is one frame: one that was stopped goes on
    if desk.seq < calls.div_ceil(SEED_BATCH) {
        let (start, left) = (now(), calls.saturating_sub(desk.seq * SEED_BATCH));
        desk.seed(calls);
        let took = start.elapsed().as_secs_f64();
        println!("seed_s={took:.0} seed_rate={:.0}", to_f64(left) / took);
    }
    let files = Path::new(dir);
    println!("database_mib={}", if files.is_dir() { size(files) >> 20 } else { 0 });
    desk.load(Duration::from_secs(seconds.parse().unwrap()));
    desk.backlog(backlog.parse().unwrap());
}

struct Desk {
    store: Arc<dyn Store>,
    seq: u64,
    /// Calls made by this run.
    made: u64,
}

impl Desk {
    fn open(place: &str) -> Self {
        let store: Arc<dyn Store> = if place.starts_with("postgres://") {
            let parts = Parts {
                target: Target::read(place, Beside::default()).unwrap(),
                rs_name: "bench".to_owned(),
                spool_id: "bench".to_owned(),
                readers: 1,
                secret: [7; 32],
            };
            Arc::new(Postgres::new(parts, wall()).unwrap())
        } else {
            std::fs::create_dir_all(place).unwrap();
            Arc::new(Sqlite::new(place.into(), wall()))
        };
        let seq = store.applied_seq().unwrap();
        Self { store, seq, made: 0 }
    }

    /// Calls of the days before today, evenly.
    fn seed(&mut self, calls: u64) {
        let days = calls.div_ceil(DAY_CALLS);
        let first = wall().0 / DAY_MS * DAY_MS - days * DAY_MS;
        let step = DAY_MS / DAY_CALLS;
        for batch in self.seq..calls.div_ceil(SEED_BATCH) {
            let numbers = batch * SEED_BATCH..((batch + 1) * SEED_BATCH).min(calls);
            let messages = numbers.map(|number| cdr(&guid(first + number * step, number), "end"));
            let arrival = self.arrival(messages.collect());
            self.apply(vec![arrival]);
        }
        if let Some(logs) = self.store.checkpoints() {
            logs.checkpoint(Due::All).unwrap();
        }
    }

    /// As fast as it goes.
    fn load(&mut self, time: Duration) {
        let (mut records, mut times) = (0, Vec::new());
        let (start, cpu) = (now(), cpu_us());
        while start.elapsed() < time {
            let batch = self.batch(BATCH);
            let before = now();
            records += self.apply(batch);
            times.push(before.elapsed().as_secs_f64() * 1000.0);
        }
        let rate = to_f64(records) / start.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        let of = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(0.0);
        let cpu = (cpu_us() - cpu) / to_f64(records);
        println!("rate={rate:.0} batch_p50_ms={:.0} batch_p99_ms={:.0}", of(50), of(99));
        println!("cpu_us={cpu:.1}");
        let usage = std::fs::read_to_string("/proc/self/status").unwrap();
        let most = usage.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        println!("memory_kib={}", most.trim().trim_end_matches(" kB"));
    }

    /// Until nothing is left.
    fn backlog(&mut self, records: u64) {
        let start = now();
        let mut done = 0.0;
        loop {
            let come = to_f64(records) + start.elapsed().as_secs_f64() * BESIDE;
            if done >= come || records == 0 {
                break;
            }
            let batch = self.batch(BATCH);
            done += to_f64(self.apply(batch));
        }
        println!("backlog_s={:.0}", start.elapsed().as_secs_f64());
    }

    /// Whole calls, each record in a frame of its own as a single send has it.
    fn batch(&mut self, records: usize) -> Vec<Arrival> {
        let mut batch = Vec::with_capacity(records);
        while batch.len() + usize::try_from(CALL).unwrap() <= records {
            self.made += 1;
            let guid = guid(wall().0, (1 << 40) | self.made);
            batch.push(self.arrival(vec![cdr(&guid, "start")]));
            for number in 0..EVENTS {
                batch.push(self.arrival(vec![event(&guid, number)]));
            }
            batch.push(self.arrival(vec![cdr(&guid, "end")]));
        }
        batch
    }

    fn arrival(&mut self, messages: Vec<Message>) -> Arrival {
        self.seq += 1;
        let entry = Entry {
            received: wall().0,
            transport: Transport::Openwire,
            user: None,
            peer: "127.0.0.1:1".parse().unwrap(),
            messages,
            letters: Vec::new(),
            produces: Vec::new(),
        };
        Arrival { seq: self.seq, entry: Some(entry) }
    }

    /// How many were new.
    fn apply(&self, batch: Vec<Arrival>) -> u64 {
        let applied = self.store.apply(&batch, wall()).unwrap();
        let records: u64 = batch.iter().map(Arrival::records).sum();
        assert_eq!((applied.stored, applied.dead), (records, 0), "all are valid and new");
        records
    }
}

/// Version 7: its time, then a number.
fn guid(ms: u64, number: u64) -> String {
    format!("{:08X}-{:04X}-7000-8000-{number:012X}", ms >> 16, ms & 0xFFFF)
}

fn message(queue: &str, text: String) -> Message {
    Message {
        queue: queue.to_owned(),
        message_id: None,
        fallback_id: None,
        properties: Vec::new(),
        body: Body::Text(text),
    }
}

fn cdr(guid: &str, phase: &str) -> Message {
    let ms = u64::from_str_radix(&[&guid[..8], &guid[9..13]].concat(), 16).unwrap();
    let number = u64::from_str_radix(&guid[24..], 16).unwrap();
    let (started, ended) = (Millis(ms), Millis(ms + 67_000));
    let end = if phase == "end" {
        format!(r#","ended_at":"{ended}","end_state":"USER_END","reason":"normal""#)
    } else {
        String::new()
    };
    let text = format!(
        concat!(
            r#"{{"schema":1,"kind":"cdr","id":"{guid}/00690001/cdr.{phase}/1.1","time":"{ended}","#,
            r#""producer":{{"name":"rm-1","boot":41,"seq":{number},"stream":"cdr"}},"#,
            r#""component":{{"name":"rm-1","type":"RM","dbid":101}},"config_rev":77,"#,
            r#""phase":"{phase}","guid":"{guid}","leg":"00690001","#,
            r#""session_id":"{guid}.00690001","epoch":1,"started_at":"{started}","#,
            r#""answered_at":"{started}"{end},"call_type":"INBOUND","tenant":{{"name":"acme","#,
            r#""dbid":102,"path":[{{"name":"Environment","dbid":1}},"#,
            r#"{{"name":"acme","dbid":102}}]}},"profile":{{"name":"acme-main","dbid":189,"#,
            r#""service":"voicexml"}},"service":"voicexml","dn":"1800555{dn:04}","#,
            r#""local_uri":"sip:18005550100@gvp.example","#,
            r#""remote_uri":"sip:+4930123@gw.example","call_id":"{guid}@gw","#,
            r#""resource":{{"group":"mcp","name":"mcp-1","dbid":310,"#,
            r#""address":"sip:127.0.0.1:5070","attempts":1}},"sip_status":200,"#,
            r#""primary":true,"selected_by":"did","placed_by":"least-used"}}"#
        ),
        guid = guid,
        phase = phase,
        number = number,
        started = started,
        ended = ended,
        end = end,
        dn = number % 10_000
    );
    message("ringmaster.cdr", text)
}

fn event(guid: &str, number: u64) -> Message {
    let text = format!(
        concat!(
            r#"{{"schema":1,"kind":"call.event","id":"{guid}/ev/{number}","time":"{time}","#,
            r#""producer":{{"name":"rm-1","boot":41,"stream":"event"}},"#,
            r#""component":{{"name":"rm-1","type":"RM","dbid":101}},"guid":"{guid}","#,
            r#""session_id":"{guid}.00690001","level":"METRIC","log_id":"asr_open","#,
            r#""text":"{text:x<600}"}}"#
        ),
        guid = guid,
        number = number,
        time = wall(),
        text = "MRCP-77|"
    );
    message("ringmaster.event", text)
}

/// Bytes of all files below.
fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let one = |entry: std::fs::DirEntry| {
        let found = entry.metadata().unwrap();
        if found.is_dir() { size(&entry.path()) } else { found.len() }
    };
    entries.map(one).sum()
}

/// User and system time of this process; the kernel tells hundredths of a second.
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // fields 14 and 15 of proc(5), counted behind the name
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().unwrap() * 10_000.0).sum()
}

fn to_f64(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the records are of today")]
fn wall() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Millis(u64::try_from(since.as_millis()).unwrap())
}
