//! See `rpc_checks::values`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rpc_checks::values(bytes));
