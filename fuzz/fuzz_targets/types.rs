//! See `rpc_checks::types`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rpc_checks::types(bytes));
