//! STOMP 1.2 as a script would write it: frames of text, receipts, no heart-beats.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Line, is_silence};
use crate::book::{Record, Send};

pub(super) struct Stomp {
    stream: TcpStream,
    /// Read, and no whole frame yet.
    buffer: Vec<u8>,
}

impl Line for Stomp {
    const MIXED: bool = true;

    fn connect(broker: SocketAddr, _: &str, _: u32) -> Option<Self> {
        let mut stream = TcpStream::connect(broker).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(100))).ok()?;
        stream.write_all(b"CONNECT\naccept-version:1.2\nhost:rs\n\n\0").ok()?;
        let mut line = Self { stream, buffer: Vec::new() };
        loop {
            match line.frame()? {
                Some(frame) if frame.starts_with("CONNECTED") => return Some(line),
                Some(frame) => panic!("{frame}"),
                None => {}
            }
        }
    }

    fn send(&mut self, tag: u64, send: &Send) -> Option<()> {
        let mut frames = String::new();
        let receipt = format!("receipt:{tag}");
        let message = |frames: &mut String, header: &str, record: &Record| {
            let Record { queue, body, .. } = record;
            let length = body.len();
            write!(
                frames,
                "SEND\ndestination:/queue/{queue}\n{header}\ncontent-length:{length}\n\n{body}\0\n"
            )
            .unwrap();
        };
        match &send.records[..] {
            [one] => message(&mut frames, &receipt, one),
            all => {
                let own = format!("transaction:{tag}");
                write!(frames, "BEGIN\n{own}\n\n\0\n").unwrap();
                all.iter().for_each(|record| message(&mut frames, &own, record));
                write!(frames, "COMMIT\n{own}\n{receipt}\n\n\0\n").unwrap();
            }
        }
        self.stream.write_all(frames.as_bytes()).ok()
    }

    fn answer(&mut self) -> Option<Option<u64>> {
        let Some(frame) = self.frame()? else { return Some(None) };
        let receipt = frame.lines().find_map(|line| line.strip_prefix("receipt-id:"));
        let tag = receipt.filter(|_| frame.starts_with("RECEIPT"));
        Some(Some(tag.unwrap_or_else(|| panic!("{frame}")).parse().unwrap()))
    }
}

impl Stomp {
    fn frame(&mut self) -> Option<Option<String>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == 0) {
                let frame: Vec<u8> = self.buffer.drain(..=end).collect();
                let text = String::from_utf8(frame).unwrap();
                return Some(Some(text.trim_matches(['\n', '\r', '\0']).to_owned()));
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(read) => self.buffer.extend_from_slice(&bytes[..read]),
                Err(error) if is_silence(&error) => return Some(None),
                Err(_) => return None,
            }
        }
    }
}
