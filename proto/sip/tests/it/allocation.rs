//! Parsing a call's message takes no heap memory.

#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; it only counts and passes on"
)]

use sip::header::Name;
use sip::limits::Limits;
use sip::parse::parse;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting per thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged; counting touches no memory of the allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

pub(crate) fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

#[test]
fn an_invite_of_1_kib_takes_none() {
    let bytes = include_bytes!("testdata/invite_1k.sip");
    assert_eq!(bytes.len(), 1024);
    assert_eq!(allocations(|| drop(vec![0u8; 1])), 1, "the counter counts");
    let count = allocations(|| {
        let message = parse(bytes, &Limits::DEFAULT).unwrap();
        assert_eq!(message.vias().count(), 2);
        assert_eq!(message.routes().count(), 1);
        assert!(message.header(Name::ContentType).is_some());
        assert!(message.contacts().all(|contact| contact.parsed_uri().is_some()));
    });
    assert_eq!(count, 0);
}

#[test]
fn more_than_64_lines_take_one() {
    let bytes = include_bytes!("testdata/invite_1k.sip");
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let long = format!("{head}{}\r\n\r\n{body}", "\r\nX: y".repeat(60));
    assert_eq!(allocations(|| assert!(parse(long.as_bytes(), &Limits::DEFAULT).is_ok())), 1);
}
