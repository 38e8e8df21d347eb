//! Attributes whose value is of another kind, or names nothing.

use bin_prot::BinProt;

#[derive(BinProt)]
struct Number {
    #[bin_prot(name = 3)] //~
    field: i64,
}

#[derive(BinProt)]
#[bin_prot(annotate)] //~
struct Nothing {
    field: i64,
}

#[derive(BinProt)]
#[bin_prot(base = true)] //~
struct Truth {
    field: i64,
}

#[derive(BinProt)]
struct Conversion {
    #[bin_prot(as = "Int64")] //~
    field: i64,
}

#[derive(BinProt)]
#[bin_prot(group)] //~
struct Group {
    field: i64,
}

#[derive(BinProt)]
#[bin_prot(crate = "no path")] //~
struct Path {
    field: i64,
}

fn main() {}
