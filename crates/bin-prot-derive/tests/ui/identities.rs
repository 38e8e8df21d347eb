//! `annotate` and `base`.

use bin_prot::BinProt;

#[derive(BinProt)]
#[bin_prot(annotate = "a", base = "b")]
struct Both {
    field: i64,
}

#[derive(BinProt)]
#[bin_prot(annotate = "a")]
#[bin_prot(annotate = "b")]
struct Twice {
    field: i64,
}

#[derive(BinProt)]
#[bin_prot(base = "a", base = "b")]
struct Again {
    field: i64,
}

fn main() {}
