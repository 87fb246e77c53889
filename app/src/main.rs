//! The one executable `ringmaster`.
fn main() {}
