//! How many datagrams the kernel had no room for: the sockets' rows in `/proc/net/udp{,6}`.
//!
//! Not for the engine thread: the kernel walks all its sockets for one reading. A counter is read
//! instead of SO_RXQ_OVFL because that truncates the control buffer which `recvmmsg` uses again.

use super::UdpSocket;
use nix::sys::stat::fstat;
use std::fs::File;
use std::io::{self, Read};

/// The tables of both families; a kernel without IPv6 has no second one.
const TABLES: [&str; 2] = ["/proc/net/udp", "/proc/net/udp6"];

/// The sockets whose drops are read.
#[derive(Debug)]
pub struct KernelDrops {
    sockets: Vec<Counted>,
    text: String,
}

#[derive(Debug)]
struct Counted {
    inode: u64,
    /// The kernel's counter at the last reading; it has 32 bits and begins again.
    seen: u32,
}

impl KernelDrops {
    /// For these sockets, whose counters begin at zero with them.
    ///
    /// # Errors
    /// What the kernel says of a socket that is not open.
    pub fn of<'s>(sockets: impl IntoIterator<Item = &'s UdpSocket>) -> io::Result<Self> {
        let counted = |socket: &UdpSocket| Ok(Counted { inode: fstat(socket)?.st_ino, seen: 0 });
        let sockets = sockets.into_iter().map(counted).collect::<io::Result<_>>()?;
        Ok(Self { sockets, text: String::new() })
    }

    /// Calls `each` with the index of every socket that has lost datagrams since the last reading,
    /// and how many. A table that cannot be read tells nothing.
    pub fn read(&mut self, mut each: impl FnMut(usize, u64)) {
        for table in TABLES {
            self.text.clear();
            let read = File::open(table).and_then(|mut file| file.read_to_string(&mut self.text));
            if read.is_err() {
                continue;
            }
            for (inode, drops) in self.text.lines().filter_map(row) {
                let found = self.sockets.iter_mut().enumerate().find(|(_, one)| one.inode == inode);
                let Some((index, socket)) = found else { continue };
                let more = drops.wrapping_sub(std::mem::replace(&mut socket.seen, drops));
                if more > 0 {
                    each(index, u64::from(more));
                }
            }
        }
    }
}

/// Inode and drops of a row; `None` for the heading.
fn row(line: &str) -> Option<(u64, u32)> {
    let mut fields = line.split_ascii_whitespace().skip(9);
    let inode = fields.next()?.parse().ok()?;
    let drops = fields.nth(2)?.parse().ok()?;
    Some((inode, drops))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_as_the_kernel_writes_them() {
        let v4 = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when \
                  retrnsmt   uid  timeout inode ref pointer drops             \n \
                  1234: 0100007F:13C4 00000000:0000 07 00000000:00021C00 00:00000000 \
                  00000000  1000        0 48219 2 000000003e4f2a11 917               ";
        let v6 = " 5178: 00000000000000000000000001000000:13C4 \
                  00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 \
                  00000000     0        0 4294967299 2 0000000000000000 4294967295";
        let rows: Vec<_> = v4.lines().chain(v6.lines()).map(row).collect();
        assert_eq!(rows, [None, Some((48_219, 917)), Some((4_294_967_299, u32::MAX))]);
        assert_eq!(row("1: a b 07"), None);
    }

    #[test]
    fn what_finds_no_room_is_counted_once() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let bind = || UdpSocket::bind(address.parse().unwrap(), 24).unwrap();
            let (calm, flooded, sender) = (bind(), bind(), bind());
            let mut drops = KernelDrops::of([&calm, &flooded]).unwrap();
            let mut lost = [0; 2];
            drops.read(|index, more| lost[index] += more);
            assert_eq!(lost, [0, 0]);
            let bytes = [0; 60_000];
            // As much as any buffer has room for.
            for _ in 0..(2 * crate::limits::RECEIVE_BUFFER / bytes.len() + 2) {
                sender.socket.send_to(&bytes, flooded.local()).unwrap();
            }
            drops.read(|index, more| lost[index] += more);
            assert!(lost[0] == 0 && lost[1] > 0, "{lost:?}");
            let before = lost;
            drops.read(|index, more| lost[index] += more);
            assert_eq!(lost, before);
        }
    }
}
