//! What is allocated, counted for each thread: selecting a version allocates nothing.

#![expect(unsafe_code, reason = "an allocator cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::{Config, TestRunner};
use rpc_core::{Implementations, Rpc};
use rpc_versioned::{
    ConnectionWithMenu, NoCommonVersion, callee_converts, caller_converts, highest_common,
};
use rpc_wire::{Description, Menu, ProtocolVersion};

use crate::pair::{pair, settle};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator as it is; counting touches only a
// thread-local cell, which needs no destructor and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above; `place` came from `alloc` and so from the system's allocator.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `run` results in, and how often it allocated.
fn counted<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATIONS.get();
    let result = run();
    (result, ALLOCATIONS.get() - before)
}

fn prices(versions: impl IntoIterator<Item = i64>) -> Menu {
    let prices = versions
        .into_iter()
        .map(|version| Description::new("price", version));
    let others = (0..1000).map(|version| Description::new("quote", version));
    Menu::new(prices.chain(others)).unwrap()
}

/// R7, V-ME-4: up to a thousand versions of two names, any of which may be candidates.
#[test]
fn highest_version_is_found_without_allocating() {
    let versions = Vec::from_iter(0_i64..1000);
    let mut runner = TestRunner::new(Config::with_cases(64));
    let some = || subsequence(versions.clone(), 0..versions.len());
    runner
        .run(&(some(), some()), |(theirs, ours)| {
            let menu = prices(theirs.iter().copied());
            let (found, allocations) = counted(|| highest_common(&menu, "price", &ours));
            prop_assert_eq!(allocations, 0);
            let common = ours
                .iter()
                .copied()
                .filter(|version| theirs.contains(version))
                .max();
            let none = if theirs.is_empty() {
                NoCommonVersion::NoSuchRpc
            } else {
                NoCommonVersion::NoSuchVersion
            };
            prop_assert_eq!(found, common.ok_or(none));
            Ok(())
        })
        .unwrap();
}

/// R8: ten thousand versions, split at random between menu and candidates.
#[test]
fn nothing_in_common_is_found_out_without_allocating() {
    let split = proptest::collection::vec(any::<bool>(), 10_000);
    let mut runner = TestRunner::new(Config::with_cases(5));
    runner
        .run(&split, |split| {
            let of = |side| {
                let versions = (0_i64..).zip(&split);
                versions
                    .filter(move |(_, on)| **on == side)
                    .map(|(version, _)| version)
            };
            let (menu, candidates) = (prices(of(true)), Vec::from_iter(of(false)));
            let before = candidates.clone();
            let (found, allocations) = counted(|| highest_common(&menu, "price", &candidates));
            prop_assert_eq!(found, Err(NoCommonVersion::NoSuchVersion));
            prop_assert_eq!(allocations, 0);
            prop_assert_eq!(candidates, before);
            Ok(())
        })
        .unwrap();
}

static FIRST: Rpc<i64, i64> = Rpc::new("price", 0);

/// Dispatching through a converter allocates what the direct dispatch does, and nothing else: with one
/// version on either side, and with many of which the last one is selected.
#[tokio::test(start_paused = true)]
async fn dispatch_allocates_no_more_than_the_direct_one() {
    let mut builder = Implementations::<()>::builder();
    for version in 0..200 {
        let rpc = Rpc::<i64, i64>::new("price", version);
        builder = builder.implement_blocking(&rpc, |(), number| Ok(number));
    }
    let (connection, _callee) = pair(ProtocolVersion::MAX, &builder.build().unwrap(), ()).await;
    let connection = ConnectionWithMenu::request(connection).await.unwrap();
    let one = caller_converts::Rpc::<i64, i64>::builder("price").version_from(&FIRST);
    let one = one.build().unwrap();
    let mut many = caller_converts::Rpc::<i64, i64>::builder("price").version_from(&FIRST);
    for version in 1000..1200 {
        many = many.version_from(&Rpc::<i64, i64>::new("price", version));
    }
    let many = many.build().unwrap();
    // Buffers and tables have their sizes afterwards.
    for _ in 0..10 {
        FIRST.dispatch(connection.connection(), &1).await.unwrap();
    }
    settle().await;
    let direct = counted(|| FIRST.dispatch(connection.connection(), &1));
    direct.0.await.unwrap();
    for caller in [&one, &many] {
        let converted = counted(|| caller.dispatch(&connection, 1));
        converted.0.await.unwrap();
        assert_eq!(converted.1, direct.1);
    }
}

/// So do whole calls, with a converter at either end, by a handler that is ready at once and by one that
/// blocks, one at a time and many together: nothing is allocated for converting, or for choosing the
/// version, and handlers that run one after the other do so in one place.
#[tokio::test(start_paused = true)]
async fn whole_call_allocates_no_more_than_the_direct_one() {
    static READY: Rpc<i64, i64> = Rpc::new("ready", 1);
    static BLOCKING: Rpc<i64, i64> = Rpc::new("blocking", 1);
    static CONVERTED_READY: Rpc<i64, i64> = Rpc::new("converted-ready", 1);
    static CONVERTED_BLOCKING: Rpc<i64, i64> = Rpc::new("converted-blocking", 1);
    let callee = |rpc: &Rpc<i64, i64>| {
        let builder = callee_converts::Rpc::<(), i64, i64>::builder(rpc.name());
        builder.version(rpc, Ok, Ok).build().unwrap()
    };
    let ready = callee(&CONVERTED_READY);
    let blocking = callee(&CONVERTED_BLOCKING);
    let table = Implementations::<()>::builder()
        .implement(&READY, |(), number| async move { Ok(number) })
        .implement_blocking(&BLOCKING, |(), number| Ok(number))
        .implementations(ready.implement(|(), _, number| async move { Ok(number) }))
        .implementations(blocking.implement_blocking(|(), _, number| Ok(number)));
    let (connection, _callee) = pair(ProtocolVersion::MAX, &table.build().unwrap(), ()).await;
    let connection = ConnectionWithMenu::request(connection).await.unwrap();
    for (direct, converted) in [(&READY, &CONVERTED_READY), (&BLOCKING, &CONVERTED_BLOCKING)] {
        let caller = caller_converts::Rpc::<i64, i64>::builder(converted.name());
        let caller = caller.version(converted, Ok, Ok).build().unwrap();
        for together in [1, 20] {
            let dispatch = async || {
                let ask = || direct.dispatch(connection.connection(), &1);
                let calls: [_; 20] = std::array::from_fn(|call| (call < together).then(ask));
                for call in calls.into_iter().flatten() {
                    assert_eq!(call.await.unwrap(), 1);
                }
            };
            let dispatch_converted = async || {
                let ask = || caller.dispatch(&connection, 1);
                let calls: [_; 20] = std::array::from_fn(|call| (call < together).then(ask));
                for call in calls.into_iter().flatten() {
                    assert_eq!(call.await.unwrap(), 1);
                }
            };
            // Buffers and tables have their sizes afterwards.
            for _ in 0..10 {
                dispatch().await;
                dispatch_converted().await;
            }
            settle().await;
            let counts = (
                counted_until(dispatch).await,
                counted_until(dispatch_converted).await,
            );
            assert_eq!(counts.1, counts.0, "{}, {together} together", direct.name());
        }
    }
}

/// How often is allocated until this is done, by all that runs on this thread meanwhile.
async fn counted_until(run: impl AsyncFn()) -> usize {
    let before = ALLOCATIONS.get();
    run().await;
    ALLOCATIONS.get() - before
}
