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

    /// As [`Self::say`], to a peer that may have closed.
    pub(crate) async fn try_say(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// Logged in without heart-beats.
    pub(crate) async fn login(address: SocketAddr) -> Self {
        let mut peer = Self::connect(address).await;
        peer.say("CONNECT\naccept-version:1.2\nhost:x\n\n\0").await;
        assert!(peer.next().await.starts_with("CONNECTED\n"));
        peer
    }

    /// Ends its own direction; it goes on reading.
    pub(crate) async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }
}
