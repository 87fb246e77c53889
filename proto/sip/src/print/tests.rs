//! Answers and copies.
