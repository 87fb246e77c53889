//! A bad line: a UDP relay that loses packets, both ways, and doubles some.
//!
//! What gets lost follows from a seed and the order of the packets. SIPp's own `-lost` is not used:
//! an answer that it throws away itself it does not repeat when the request comes again.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::platform::free_port;

/// One line to one far end, for one near end. Ends with the value.
pub(crate) struct Line {
    /// What the near end sends to.
    pub(crate) near: SocketAddr,
    /// What the far end sends to.
    pub(crate) far: SocketAddr,
    lost: Arc<AtomicU32>,
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Line {
    /// A line from an address of `ip` to `far_end`, of which `percent` of all packets get lost.
    pub(crate) fn new(ip: IpAddr, far_end: SocketAddr, percent: u64) -> Self {
        let bind = || {
            let socket = UdpSocket::bind((ip, free_port(ip))).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            socket
        };
        let (near, far) = (bind(), bind());
        let (near_address, far_address) = (near.local_addr().unwrap(), far.local_addr().unwrap());
        let (lost, end) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let caller: Arc<std::sync::OnceLock<SocketAddr>> = Arc::default();
        let mut threads = Vec::new();
        for inwards in [true, false] {
            let (from, to) = if inwards { (&near, &far) } else { (&far, &near) };
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let (lost, end, caller) = (Arc::clone(&lost), Arc::clone(&end), Arc::clone(&caller));
            threads.push(std::thread::spawn(move || {
                let mut chance = Chance(if inwards { 1 } else { 2 });
                let mut packet = [0; 65_536];
                while !end.load(Ordering::Relaxed) {
                    let Ok((length, source)) = from.recv_from(&mut packet) else { continue };
                    let target = if inwards { Some(far_end) } else { caller.get().copied() };
                    if inwards {
                        caller.get_or_init(|| source);
                    }
                    if chance.percent() < percent {
                        lost.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let times = if chance.percent() < 5 { 2 } else { 1 };
                    for target in std::iter::repeat_n(target, times).flatten() {
                        // Nobody there is as good as lost.
                        let _ = to.send_to(&packet[..length], target);
                    }
                }
            }));
        }
        Self { near: near_address, far: far_address, lost, end, threads }
    }

    /// Packets lost so far.
    pub(crate) fn lost(&self) -> u32 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Numbers that look like chance and are the same in every run (xorshift).
struct Chance(u64);

impl Chance {
    fn percent(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % 100
    }
}
