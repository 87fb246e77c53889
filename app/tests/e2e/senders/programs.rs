//! Stock clients in programs of their own, which are told on standard input what to send: those of
//! ActiveMQ in Java (`Sender.java`) and stomp.py (`sender.py`).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use super::{Order, most};
use crate::activemq::jars;
use crate::book::{Pen, Send};

/// Of a client that does not wait for each answer: how much it may be ahead, bytes.
const AHEAD: &str = "jms.useAsyncSend=true&jms.producerWindowSize=65536";

/// Ended with the test, in whichever way.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // already gone is as good
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A thread that keeps so many clients in Java busy. They come back by themselves over `failover:`;
/// where nothing may break they do not, and half of them do not wait for answers.
pub(crate) fn java(order: Order, number: u32, clients: usize) -> JoinHandle<()> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/java/Sender.java");
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", &jars(), source]);
    command.arg(clients.to_string());
    if order.steady {
        let url = format!("tcp://{}", order.broker);
        command.arg(&url).arg(format!("{url}?{AHEAD}"));
    } else {
        command.arg(format!("failover:(tcp://{})?maxReconnectDelay=500", order.broker));
    }
    told(order, ("java", number), clients, command)
}

/// A thread that keeps a connection of stomp.py busy, with so many sends under way.
pub(crate) fn python(order: Order, number: u32, window: usize) -> JoinHandle<()> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(tests.join("../target/stomp/bin/python"));
    command.arg(tests.join("tests/e2e/python/sender.py"));
    command.arg(order.broker.port().to_string());
    told(order, ("python", number), window, command)
}

fn told(
    order: Order,
    (kind, number): (&'static str, u32),
    window: usize,
    mut command: Command,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn();
        let mut machine = Machine(child.unwrap_or_else(|why| panic!("{kind}: {why} (test.sh)")));
        let input = machine.0.stdin.take().unwrap();
        let output = BufReader::new(machine.0.stdout.take().unwrap());
        let pipes = (input, output.lines().map(Result::unwrap));
        work(&order, &format!("{kind}-{number}"), number, window, pipes);
    })
}

fn work(
    order: &Order,
    name: &str,
    number: u32,
    window: usize,
    (mut input, mut output): (impl Write, impl Iterator<Item = String>),
) {
    let (mut pen, mut chance) = (Pen::new(name, number, true), order.chance(number));
    let mut unanswered: BTreeMap<String, Send> = BTreeMap::new();
    loop {
        while order.goes_on(&pen) && unanswered.len() < window {
            let send = pen.send(&order.book, most(&mut chance));
            hand_over(&mut input, &send);
            unanswered.insert(send.name.clone(), send);
        }
        if unanswered.is_empty() {
            return;
        }
        let line = output.next().expect("it answers everything");
        match line.split_once(' ') {
            Some(("stored", name)) => {
                order.book.acknowledged(&unanswered.remove(name).unwrap());
                order.breathe();
            }
            Some(("failed", _)) if order.steady => panic!("{line}"),
            // told that it failed, a program tries again, with new message ids, or gives up
            Some(("failed", name)) if order.is_over() || chance.below(3) > 0 => {
                hand_over(&mut input, &unanswered[name]);
            }
            Some(("failed", name)) => drop(unanswered.remove(name).unwrap()),
            _ => panic!("{line}"),
        }
    }
}

fn hand_over(input: &mut impl Write, send: &Send) {
    let mut text = format!("{} {}\n", send.name, send.records.len());
    for record in &send.records {
        text.extend([record.queue, " ", &record.body, "\n"]);
    }
    input.write_all(text.as_bytes()).unwrap();
    input.flush().unwrap();
}
