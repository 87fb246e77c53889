//! Tables of messages.
