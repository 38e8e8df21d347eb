//! The field whose type has no encoding is the one that is shown.

use bin_prot::BinProt;
use std::time::Instant;

#[derive(BinProt)]
struct Event {
    name: String,
    at: Instant, //~ E0277 `Instant` has no bin_prot
}

#[derive(BinProt)]
enum Answer {
    Nothing,
    Soon { at: Instant }, //~ E0277 `Instant` has no bin_prot
    Late(i64, Instant),   //~ E0277 `Instant` has no bin_prot
}

fn main() {}
