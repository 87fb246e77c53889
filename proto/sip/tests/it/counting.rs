//! The allocator of the executable, counting what this thread asks of it: the one home of it, for
//! the tests and benches of every crate, which take this file in by its path.

#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; it only counts and passes on"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

use mimalloc::MiMalloc;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static HEAP: Cell<(usize, isize)> = const { Cell::new((0, 0)) };
}

/// Allocations of this thread so far, and the bytes that it holds: those it has given back are
/// taken off, whoever had got them.
pub(crate) fn heap() -> (usize, isize) {
    HEAP.with(Cell::get)
}

fn note(allocations: usize, bytes: isize) {
    HEAP.with(|heap| {
        let (count, live) = heap.get();
        heap.set((count + allocations, live + bytes));
    });
}

// SAFETY: every call is passed on unchanged; counting touches no memory of the allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, -layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}
