//! The checks, over inputs that were kept and over new ones; libFuzzer needs neither.

#[path = "../../../rpc-wire/tests/it/arbitrary.rs"]
mod arbitrary;
mod generated;
mod inputs;
#[path = "../../../rpc-wire/tests/it/naive.rs"]
#[expect(dead_code, reason = "what else rpc-wire's tests declare")]
mod naive;
mod random;
mod replay;
