//! Attributes that do not exist, or not there.

use bin_prot::BinProt;

#[derive(BinProt)]
#[bin_prot(recursiv)]
struct Misspelt {
    field: i64,
}

#[derive(BinProt)]
struct Misplaced {
    #[bin_prot(inherit)]
    field: i64,
}

#[derive(BinProt)]
enum Ordinary {
    #[bin_prot(inherit)]
    One(Other),
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
enum Crowded {
    #[bin_prot(inherit)]
    Two(Other, Other),
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
enum Other {
    A,
    B { field: i64 },
}

fn main() {}
