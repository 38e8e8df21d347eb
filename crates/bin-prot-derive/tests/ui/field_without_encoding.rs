//! The field whose type has no encoding is the one that is shown.

use bin_prot::BinProt;
use std::time::Instant;

#[derive(BinProt)]
struct Event {
    name: String,
    at: Instant,
}

fn main() {}
