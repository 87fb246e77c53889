//! The same from the outside: the executable, its commands, and requests over sockets.

mod beside;
mod platform;
mod server;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::super::built;
use super::super::http::{request, send};
use super::Figure;
use server::Server;

const RUNS: usize = 5;
const WATCHERS: usize = 100;
const CHANGES: usize = 200;

/// An event as a watcher heard it: the revision, and when.
type Heard = (u64, Instant);

pub(super) fn run(root: &Path) -> Result<Vec<Figure>> {
    let program = built(root)?;
    let text = platform::all(0);
    let mut applied = Vec::with_capacity(RUNS);
    let mut last = None;
    for _ in 0..RUNS {
        let server = Server::start(&program)?;
        applied.push(apply(&program, &server, &text)?);
        last = Some(server);
    }
    let server = last.context("a run was made")?;
    let mut snapshots = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let begun = now();
        let answer = request(server.port, "GET", "/v1/snapshot", "")?;
        snapshots.push(begun.elapsed());
        if !answer.contains("\"end\":true") {
            bail!("the snapshot has no end");
        }
    }
    let memory = server.resident_mib()?;
    let (changes, delivered) = changes(&server)?;
    let beside = beside::run(root, &program)?;
    let mut figures = vec![
        Figure {
            what: "`ringmaster apply` of a large platform into an empty server",
            goal: "< 2 s",
            measured: format!("{} ms", middle(&mut applied).as_millis()),
            how: "median of 5 runs of `ringmaster apply`, from its start to its end",
        },
        Figure {
            what: "one number more, over HTTP: to the answer; to the event at 100 watchers",
            goal: "p99 < 20 ms; < 100 ms",
            measured: spread(changes, delivered),
            how: "200 PUTs one after the other, each on disk before it is answered",
        },
        Figure {
            what: "the whole set as a snapshot; memory of the server",
            goal: "< 300 ms; < 150 MiB",
            measured: format!("{} ms; {memory} MiB", middle(&mut snapshots).as_millis()),
            how: "median of 5 answers of `/v1/snapshot`; VmRSS after them",
        },
    ];
    figures.extend(beside);
    Ok(figures)
}

fn apply(program: &Path, server: &Server, text: &str) -> Result<Duration> {
    let file = server.dir.join("platform.yaml");
    std::fs::write(&file, text)?;
    let begun = now();
    let output = Command::new(program)
        .args(["apply", "--quiet", "--output", "name", "--file"])
        .arg(&file)
        .env("RINGMASTER_SERVER", format!("http://127.0.0.1:{}", server.port))
        .output()?;
    let took = begun.elapsed();
    if !output.status.success() {
        bail!("apply failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(took)
}

/// Times of the answers, and of the events at each watcher, both from the begin of the request.
fn changes(server: &Server) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let heard = watchers(server.port)?;
    let (mut answered, mut begun) = (Vec::new(), Vec::new());
    let path = format!("/v1/objects/DidGroup/{}?tenant={}", platform::GROUP, platform::TENANT);
    for number in 0..CHANGES {
        let at = now();
        let answer = request(server.port, "PUT", &path, &platform::one_group(number))?;
        answered.push(at.elapsed());
        let revision = answer.lines().find_map(|line| line.strip_prefix("x-ringmaster-revision: "));
        begun.push((revision.context("no revision")?.trim().parse::<u64>()?, at));
    }
    let mut delivered = Vec::with_capacity(CHANGES * WATCHERS);
    for _ in 0..CHANGES * WATCHERS {
        let (revision, at) = heard.recv_timeout(Duration::from_secs(10))?;
        let of = begun.iter().find(|(own, _)| *own == revision).context("an unknown revision")?;
        delivered.push(at.duration_since(of.1));
    }
    Ok((answered, delivered))
}

/// Watchers on threads of their own; they end with the server.
#[expect(clippy::disallowed_methods, reason = "a bench counts what comes")]
fn watchers(port: u16) -> Result<Receiver<Heard>> {
    let (sender, heard) = channel();
    for _ in 0..WATCHERS {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        send(&mut stream, "GET", "/v1/watch", "")?;
        let mut lines = BufReader::new(stream).lines();
        let status = lines.next().context("no answer")??;
        if !status.contains(" 200 ") {
            bail!("watch: {status}");
        }
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let id = line.strip_prefix("id: ").and_then(|id| id.parse().ok());
                if let Some(id) = id
                    && sender.send((id, now())).is_err()
                {
                    return;
                }
            }
        });
    }
    Ok(heard)
}

fn spread(mut answered: Vec<Duration>, mut delivered: Vec<Duration>) -> String {
    let [answer, answer_99] = [50, 99].map(|share| percentile(&mut answered, share));
    let [event, event_99] = [50, 99].map(|share| percentile(&mut delivered, share));
    format!("answer {answer:.1} ms, p99 {answer_99:.1}; event {event:.1} ms, p99 {event_99:.1}",)
}

/// Milliseconds.
fn percentile(times: &mut [Duration], share: usize) -> f64 {
    times.sort_unstable();
    let at = (times.len() * share / 100).min(times.len() - 1);
    times[at].as_secs_f64() * 1000.0
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn now() -> Instant {
    Instant::now()
}
