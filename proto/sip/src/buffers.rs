//! Byte buffers that are used again: what is kept of a message for a while costs no allocation in
//! the steady state.
//!
//! Used wherever bytes must outlive the packet they came in: by transactions for what may have to
//! be sent again, by the proxy above for the request in hand. A buffer that is dropped instead of
//! given back is only memory that is asked for anew.

use crate::limits::{BUFFER_IDLE, BUFFER_LARGEST, BUFFER_STEP};

/// A stock of empty buffers by size.
#[derive(Debug)]
pub struct Buffers {
    /// By capacity in steps, from one step on.
    free: Vec<Vec<Vec<u8>>>,
    /// Capacities of all of them together.
    idle: usize,
}

impl Default for Buffers {
    fn default() -> Self {
        let sizes = BUFFER_LARGEST / BUFFER_STEP;
        Self { free: (0..sizes).map(|_| Vec::new()).collect(), idle: 0 }
    }
}

impl Buffers {
    /// A copy of `bytes`.
    pub fn keep(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = self.room(bytes.len());
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// An empty buffer with room for `len` bytes, and for at most a step more.
    pub fn room(&mut self, len: usize) -> Vec<u8> {
        let steps = len.div_ceil(BUFFER_STEP);
        match self.free.get_mut(steps.wrapping_sub(1)) {
            None => Vec::with_capacity(len),
            Some(free) => match free.pop() {
                Some(buffer) => {
                    self.idle -= buffer.capacity();
                    buffer
                }
                None => Vec::with_capacity(steps * BUFFER_STEP),
            },
        }
    }

    /// As [`Self::room`], for text.
    pub fn text(&mut self, len: usize) -> String {
        // nothing is in it, so nothing is no UTF-8
        String::from_utf8(self.room(len)).unwrap_or_default()
    }

    /// Takes back a buffer that is needed no longer; one that does not fit in is dropped.
    pub fn release(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let steps = capacity / BUFFER_STEP;
        if let Some(free) = self.free.get_mut(steps.wrapping_sub(1))
            && self.idle + capacity <= BUFFER_IDLE
        {
            buffer.clear();
            self.idle += capacity;
            free.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_for_what_fits_into_it() {
        let mut buffers = Buffers::default();
        let first = buffers.keep(&[7; 200]);
        let place = first.as_ptr();
        assert_eq!((first.len(), first.capacity()), (200, 256));
        buffers.release(first);
        assert_eq!(buffers.keep(&[8; 100]).capacity(), 128, "another size");
        let again = buffers.keep(&[9; 256]);
        assert_eq!((again.as_ptr(), again.as_slice()), (place, &[9; 256][..]));
        assert_eq!(buffers.idle, 0);
    }

    #[test]
    fn what_is_too_large_or_too_much_is_not_stocked() {
        let mut buffers = Buffers::default();
        for odd in [0, BUFFER_STEP - 1, BUFFER_LARGEST + BUFFER_STEP] {
            let buffer = buffers.room(odd);
            assert!(buffer.capacity() >= odd);
            buffers.release(Vec::with_capacity(odd));
        }
        assert_eq!(buffers.idle, 0);
        for _ in 0..2 * BUFFER_IDLE / BUFFER_LARGEST {
            buffers.release(Vec::with_capacity(BUFFER_LARGEST));
        }
        assert_eq!(buffers.idle, BUFFER_IDLE);
    }
}
