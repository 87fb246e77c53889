//! Stock ActiveMQ clients (`Sender.java`), which come back by themselves over `failover:`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use super::{Order, QUEUE, events};
use crate::activemq::jars;
use crate::book::{Pen, Send};

/// Ended with the test, in whichever way.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // already gone is as good
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A thread that keeps so many of them busy.
pub(crate) fn java(order: Order, number: u32, producers: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/java/Sender.java");
        let url = format!("failover:(tcp://{})?maxReconnectDelay=500", order.broker);
        let mut command = Command::new("java");
        command
            .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", &jars(), source, &url, QUEUE])
            .arg(producers.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut machine = Machine(command.spawn().expect("java is installed (test.sh does it)"));
        let input = machine.0.stdin.take().unwrap();
        let output = BufReader::new(machine.0.stdout.take().unwrap());
        work(&order, number, producers, (input, output.lines().map(Result::unwrap)));
    })
}

fn work(
    order: &Order,
    number: u32,
    producers: usize,
    (mut input, mut output): (impl Write, impl Iterator<Item = String>),
) {
    let (mut pen, mut chance) = (Pen::new(&format!("java-{number}"), number), order.chance(number));
    let mut unanswered: BTreeMap<String, Send> = BTreeMap::new();
    loop {
        while !order.is_over() && unanswered.len() < producers {
            let send = pen.send(&order.book, events(&mut chance));
            hand_over(&mut input, &send);
            unanswered.insert(send.name.clone(), send);
        }
        if unanswered.is_empty() {
            return;
        }
        let line = output.next().expect("it answers everything");
        match line.split_once(' ') {
            Some(("stored", name)) => {
                pen.acknowledged(&order.book, &unanswered.remove(name).unwrap());
            }
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
    for (_, body) in &send.records {
        text.push_str(body);
        text.push('\n');
    }
    input.write_all(text.as_bytes()).unwrap();
    input.flush().unwrap();
}
