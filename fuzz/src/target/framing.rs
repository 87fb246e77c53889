//! `sip::stream`: the same bytes in other pieces are the same messages.

use sip::limits::Limits;
use sip::parse::parse;
use sip::stream::{Frame, Framer};

/// What came out of a stream: messages, pings (`None`), and the status of the break.
type Cut = (Vec<Option<Vec<u8>>>, Option<u16>);

pub(super) fn run(data: &[u8]) {
    let Some((size, stream)) = data.split_first() else { return };
    let whole = cut(stream, stream.len().max(1));
    assert_eq!(cut(stream, usize::from(*size).max(1)), whole, "pieces of {size}");
}

fn cut(bytes: &[u8], size: usize) -> Cut {
    let mut framer = Framer::new(Limits::DEFAULT);
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(bytes))) => {
                    if let Ok(message) = parse(bytes, &Limits::DEFAULT) {
                        assert_eq!(message.raw(), bytes, "both see the same end");
                    }
                    out.push(Some(bytes.to_vec()));
                }
                Ok(Some(Frame::Ping)) => out.push(None),
                Ok(None) => break,
                Err(error) => return (out, Some(error.0.status)),
            }
        }
        assert!(framer.pending() <= bytes.len(), "no more waits than came");
    }
    (out, None)
}
