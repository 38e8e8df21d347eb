//! `as`.

use bin_prot::{BinProt, Int64};

#[derive(BinProt)]
enum Sum {
    #[bin_prot(as = Int64)]
    Number(i64),
}

#[derive(BinProt)]
struct Twice {
    #[bin_prot(as = Int64, as = Int64)]
    field: i64,
}

fn main() {}
