//! What reading allocates, counted: never more than a small multiple of the input.

#![expect(unsafe_code, reason = "an allocator cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bin_prot::dynamic::Type;
use bin_prot::library::{Deque, NonemptyList};
use bin_prot::{
    BinReadOwned, BinShape, Blob, ByteString, FloatArray, Info, Mat, OpaqueBlob, Reader, Sexp,
    UnitV2,
};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn add(bytes: usize) {
    let allocated = ALLOCATED.get().saturating_add(bytes);
    ALLOCATED.set(allocated);
    MOST.set(MOST.get().max(allocated));
}

fn remove(bytes: usize) {
    ALLOCATED.set(ALLOCATED.get().saturating_sub(bytes));
}

// SAFETY: every call is passed on to the system's allocator as it is; counting touches only
// thread-local cells, which need no destructor and do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        remove(layout.size());
        // SAFETY: as above; `place` came from `alloc` and so from the system's allocator.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `run` had allocated at any one time.
fn most_allocated(run: impl FnOnce()) -> usize {
    let before = ALLOCATED.get();
    MOST.set(before);
    run();
    MOST.get() - before
}

/// Bytes of memory per byte of input: what an element takes, twice over while a list grows, and
/// what its neighbours in a tree node or table may take.
const PER_BYTE: usize = 640;
/// Bytes of memory whatever the input: error messages, the first node of a map.
const FIXED: usize = 16 * 1024;

fn check<T: BinReadOwned>(bytes: &[u8]) {
    let most = most_allocated(|| drop(T::bin_read(&mut Reader::new(bytes))));
    let limit = FIXED + PER_BYTE * bytes.len();
    let name = std::any::type_name::<T>();
    assert!(most <= limit, "{most} bytes for {} as {name}", bytes.len());
}

fn check_dynamic(ty: &Type, bytes: &[u8]) {
    let most = most_allocated(|| drop(ty.read(&mut Reader::new(bytes))));
    let limit = FIXED + PER_BYTE * bytes.len();
    assert!(most <= limit, "{most} bytes for {}", bytes.len());
}

fn check_all(bytes: &[u8]) {
    check::<String>(bytes);
    check::<Bytes>(bytes);
    check::<OpaqueBlob>(bytes);
    check::<Vec<UnitV2>>(bytes);
    check::<Vec<()>>(bytes);
    check::<Vec<Vec<Box<UnitV2>>>>(bytes);
    check::<Vec<Vec<Vec<ByteString>>>>(bytes);
    check::<Deque<Option<String>>>(bytes);
    check::<NonemptyList<Blob<Vec<i64>>>>(bytes);
    check::<BTreeMap<i64, BTreeSet<String>>>(bytes);
    check::<HashMap<i64, Vec<()>>>(bytes);
    check::<FloatArray>(bytes);
    check::<Mat>(bytes);
    check::<Sexp>(bytes);
    check::<Info>(bytes);
}

proptest! {
    #[test]
    fn no_bytes_allocate_more_than_a_multiple_of_their_length(bytes in vec(any::<u8>(), 0..400)) {
        check_all(&bytes);
    }

    /// Small bytes are tags and short counts, so these get further before they fail.
    #[test]
    fn nor_do_small_bytes(bytes in vec(0_u8..12, 0..400)) {
        check_all(&bytes);
        let ty = Type::new(&<Vec<(Info, BTreeMap<i64, ByteString>)>>::bin_shape()).unwrap();
        check_dynamic(&ty, &bytes);
    }

    /// Counts that are as large as the rest of the input allows, inside each other.
    #[test]
    fn nor_do_counts_that_just_fit(levels in 1_usize..1_000, count in 0_u16..=u16::MAX) {
        let [low, high] = count.to_le_bytes();
        let mut bytes = [1, 0xfe, low, high].repeat(levels);
        bytes.resize(bytes.len() + usize::from(count), 0);
        check::<Sexp>(&bytes);
        let mut bytes = [0xfe, low, high].repeat(levels);
        bytes.resize(bytes.len() + usize::from(count), 0);
        check::<Vec<Vec<Vec<Vec<Vec<Vec<Vec<Vec<()>>>>>>>>>(&bytes);
    }
}
