//! What still comes when the answer has gone already: a refusal does not wait for the body. Closed
//! at once, the kernel would meet the rest of the body with a reset, and a client that writes all
//! before it reads would never see why it was refused.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::seat::Seat;
use super::stream::Stream;

/// So long it is waited for the end,
const TIME: Duration = Duration::from_secs(10);
/// and so many bytes are thrown away: more than any body may have.
const BYTES: usize = 32 << 20;
/// At a time.
const PIECE: usize = 16 << 10;

/// A connection whose other side has been told that nothing else comes.
#[derive(Debug)]
pub(super) struct Linger {
    over: Pin<Box<Sleep>>,
    left: usize,
}

impl Linger {
    pub(super) fn new() -> Self {
        Self { over: Box::pin(sleep(TIME)), left: BYTES }
    }

    /// Throws away what comes until the other side is done, or it is enough.
    pub(super) fn poll(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<()> {
        if self.over.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut piece = [0; PIECE];
        loop {
            let mut buffer = ReadBuf::new(&mut piece);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
            let bytes = buffer.filled().len();
            if read.is_err() || bytes == 0 || bytes >= self.left {
                return Poll::Ready(());
            }
            self.left -= bytes;
        }
    }
}

/// A body whose seat knows whether all of it has come.
pub(super) struct Watched {
    body: Body,
    seat: Arc<Seat>,
}

impl Watched {
    pub(super) fn new(body: Body, seat: Arc<Seat>) -> Self {
        Self { body, seat }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.seat.owes(false);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
