//! Counts what each thread allocates, and bounds it.

#![expect(unsafe_code, reason = "an allocator cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

/// What a thread may have allocated at most. More is refused, which ends the process: whoever asks
/// for so much would otherwise take the machine with it before it could be counted.
const CEILING: usize = 512 * 1024 * 1024;

/// The system's allocator, which counts for each thread.
struct Counting;

/// Whether the thread may have so much more.
fn add(bytes: usize) -> bool {
    let allocated = ALLOCATED.get().saturating_add(bytes);
    if allocated > CEILING {
        return false;
    }
    ALLOCATED.set(allocated);
    MOST.set(MOST.get().max(allocated));
    true
}

fn remove(bytes: usize) {
    ALLOCATED.set(ALLOCATED.get().saturating_sub(bytes));
}

// SAFETY: every call is passed on to the system's allocator as it is, or answered with the null
// pointer that says that there is no more memory. Counting touches only thread-local cells, which
// need no destructor and do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !add(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        remove(layout.size());
        // SAFETY: as above; `place` came from here and so from the system's allocator.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // For a moment there may be both.
        if !add(size) {
            return ptr::null_mut();
        }
        remove(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of memory for each byte of input. Most is taken by a map: a node has room for eleven
/// entries from the first one on, and its first entry may have come in two bytes.
const PER_BYTE: usize = 1024;

/// Bytes of memory whatever the input: a thousand parts that take no bytes, while their list
/// grows, and an error with its message.
const FIXED: usize = 256 * 1024;

/// Runs something that decodes `length` bytes.
///
/// # Panics
/// It had more allocated at any one time than a small multiple of the length.
#[track_caller]
pub fn bounded<T>(length: usize, run: impl FnOnce() -> T) -> T {
    let before = ALLOCATED.get();
    MOST.set(before);
    let result = run();
    let most = MOST.get() - before;
    let limit = FIXED + PER_BYTE * length;
    assert!(
        most <= limit,
        "{most} bytes of memory for {length} of input"
    );
    result
}
