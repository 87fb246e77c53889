//! How large an answer may be that nothing vouches for: a source address can be forged, and whoever
//! is there must not be hit by more than the forger has sent (rm.md §13.4).

use crate::transport::Flow;

/// Appends the answer that `write` makes with `extra` headers to a request of `size` bytes. For a
/// datagram it is at most twice as large: else the last of `extra` are left out, or nothing is
/// appended. True when something was. `write` says whether it has made one at all.
pub fn within(
    flow: Flow,
    size: usize,
    extra: &[(&str, &str)],
    out: &mut Vec<u8>,
    write: impl Fn(&[(&str, &str)], &mut Vec<u8>) -> bool,
) -> bool {
    let most = if flow.transport.is_stream() { usize::MAX } else { size.saturating_mul(2) };
    let start = out.len();
    for count in (0..=extra.len()).rev() {
        if write(extra.get(..count).unwrap_or_default(), out)
            && out.len().saturating_sub(start) <= most
        {
            return true;
        }
        out.truncate(start);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Transport;

    #[test]
    fn a_datagram_is_answered_by_twice_its_size_at_most() {
        let flow = |transport| {
            let remote = "192.0.2.1:5060".parse().unwrap();
            Flow { transport, listener: 0, remote, conn: None }
        };
        let answer = |transport, size, able: bool| {
            let mut out = b"before ".to_vec();
            let done =
                within(flow(transport), size, &[("a", "b"), ("c", "d")], &mut out, |extra, out| {
                    out.extend_from_slice(b"answer");
                    extra.iter().for_each(|_| out.extend_from_slice(b" more"));
                    able
                });
            assert_eq!(done, out != b"before ");
            String::from_utf8(out).unwrap().split_off(7)
        };
        let cases =
            [(8, "answer more more"), (7, "answer more"), (5, "answer"), (3, "answer"), (2, "")];
        for (size, expected) in cases {
            assert_eq!(answer(Transport::Udp, size, true), expected, "{size}");
            assert_eq!(answer(Transport::Tcp, size, true), "answer more more");
        }
        assert_eq!(answer(Transport::Udp, 100, false), "");
    }
}
