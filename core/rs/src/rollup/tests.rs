//! Figures against brute force, and incremental ones against those made at once.

mod house;
mod parts;
mod same;
mod zone;
