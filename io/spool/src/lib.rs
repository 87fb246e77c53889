//! Durable queue on disk: a five-verb machine with a small driver.
