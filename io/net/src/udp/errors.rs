//! What the network says of datagrams that could not be delivered: ICMP, from the error queue of
//! the socket (RFC 3261 §18.4).
//!
//! The kernel also reports such an error once at the next call on the socket, whatever that call is
//! for: [`is_pending`] tells those apart from the call's own. Must not fail: what cannot be read is
//! nothing.

use super::{UdpSocket, socket_address};
use crate::limits::ERRORS;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use nix::sys::time::TimeSpec;
use nix::{cmsg_space, libc};
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6`: somebody else says so.
const ICMP: u8 = 2;
const ICMP6: u8 = 3;

impl UdpSocket {
    /// Takes the errors that wait, at most [`ERRORS`]: each destination that cannot be reached, and
    /// why. Time exceeded and fragmentation are no such thing.
    pub fn take_errors(&self, mut unreachable: impl FnMut(SocketAddr, io::ErrorKind)) {
        let mut control = cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6, TimeSpec);
        for _ in 0..ERRORS {
            let mut payload = [0; 64];
            let mut slices = [IoSliceMut::new(&mut payload)];
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let read = recvmsg::<SockaddrStorage>(
                self.socket.as_raw_fd(),
                &mut slices,
                Some(&mut control),
                flags,
            );
            let Ok(message) = read else { return };
            let Some(to) = message.address.as_ref().and_then(socket_address) else { continue };
            let Ok(mut all) = message.cmsgs() else { continue };
            if let Some(why) = all.find_map(unreached) {
                unreachable(to, why);
            }
        }
    }
}

/// Why the destination cannot be reached, if that is what the message says.
fn unreached(message: ControlMessageOwned) -> Option<io::ErrorKind> {
    let (ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _)) =
        message
    else {
        return None;
    };
    let says = match error.ee_origin {
        // destination unreachable but for fragmentation (RFC 792), parameter problem
        ICMP => (error.ee_type == 3 && error.ee_code != 4) || error.ee_type == 12,
        // the same (RFC 4443)
        ICMP6 => error.ee_type == 1 || error.ee_type == 4,
        _ => false,
    };
    let code = i32::try_from(error.ee_errno).ok()?;
    says.then(|| io::Error::from_raw_os_error(code).kind())
}

/// The error of a call may be one of an earlier datagram, reported late: the call is worth another
/// try.
pub(super) fn is_pending(error: Errno) -> bool {
    matches!(
        error,
        Errno::ECONNREFUSED
            | Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::EHOSTDOWN
            | Errno::ENETDOWN
            | Errno::ENOPROTOOPT
            | Errno::EPROTO
            | Errno::EACCES
            | Errno::EOPNOTSUPP
            | Errno::EMSGSIZE
    )
}
