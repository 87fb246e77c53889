//! This crate from outside: torture messages, properties, memory, and the transactions of one
//! endpoint and of two with a network between them.

mod allocation;
mod counting;
mod property;
mod sound;
mod torture;
mod chaos;
mod random;
mod flows;
mod pair;
mod timers;
mod wire;
mod bounds;
mod matching;
mod locate;
