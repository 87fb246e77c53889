//! A peer that speaks STOMP by hand.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) struct Frames {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Frames {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), heard: Vec::new() }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next frame without its NUL; nothing at the end.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == 0) {
                let frame: Vec<u8> = self.heard.drain(..=end).collect();
                let frame = String::from_utf8(frame).unwrap();
                return frame.trim_start_matches('\n').trim_end_matches('\0').to_owned();
            }
            let read = timeout(Duration::from_secs(60), self.stream.read_buf(&mut self.heard));
            if read.await.unwrap().unwrap() == 0 {
                return String::new();
            }
        }
    }
}
