//! The clock and the sockets of the engine thread.
