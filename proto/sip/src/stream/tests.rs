//! Streams in pieces.
