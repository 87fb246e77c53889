//! A file system in memory that fails on demand, for tests and the simulator.
