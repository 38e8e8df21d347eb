//! Counts what each thread allocates: what a simulation leaves behind, and the most that it had.

#![expect(unsafe_code, reason = "an allocator cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread.
struct Counting;

fn add(bytes: usize) {
    let allocated = ALLOCATED.get().wrapping_add(bytes);
    ALLOCATED.set(allocated);
    MOST.set(MOST.get().max(allocated));
}

/// What another thread allocated may be freed by this one: the count may pass below zero, and
/// comes back.
fn remove(bytes: usize) {
    ALLOCATED.set(ALLOCATED.get().wrapping_sub(bytes));
}

// SAFETY: every call is passed on to the system's allocator as it is. Counting touches only
// thread-local cells, which need no destructor and do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        remove(layout.size());
        // SAFETY: as above; `place` came from here and so from the system's allocator.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        remove(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What something took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The most at any one time, in bytes.
    pub most: usize,
    /// What is still there, in bytes; the result of the function included.
    pub left: usize,
}

/// Runs something on this thread, and says how much memory it took.
pub fn measured<T>(run: impl FnOnce() -> T) -> (T, Taken) {
    let before = ALLOCATED.get();
    MOST.set(before);
    let result = run();
    let taken = Taken {
        most: MOST.get().saturating_sub(before),
        left: ALLOCATED.get().saturating_sub(before),
    };
    (result, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_and_what_was_needed_are_told_apart() {
        let (kept, taken) = measured(|| {
            drop(vec![0_u8; 10_000]);
            vec![0_u8; 1_000]
        });
        assert_eq!(kept.len(), 1_000);
        assert!((10_000..11_000).contains(&taken.most), "{taken:?}");
        assert!((1_000..1_100).contains(&taken.left), "{taken:?}");
    }
}
