//! The only door: `cargo xtask ci|tidy|bench`.
fn main() {}
