//! The command's allocator, which gives back what a server used at its peak within seconds, whoever
//! freed it and whether or not anything happens afterwards. glibc's keeps it: docs/hostile-peers.md
//! has the figures.

#![expect(
    unsafe_code,
    reason = "jemalloc finds its options by the name of a symbol"
)]

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Freed pages go back after a second rather than ten, and what threads keep at hand for themselves
/// is small: a thread that sleeps does not give it back.
// SAFETY: nothing else in the program has this name but jemalloc's weak definition, a pointer to
// such a text, which ends with a zero.
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: &[u8; 59] = b"background_thread:true,dirty_decay_ms:1000,tcache_max:1024\0";
