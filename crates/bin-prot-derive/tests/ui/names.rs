//! `name`, of fields and constructors.

use bin_prot::BinProt;

#[derive(BinProt)]
struct Twice {
    one: i64,
    #[bin_prot(name = "one")]
    two: i64,
}

#[derive(BinProt)]
enum Words {
    TwoWords,
    Two_words,
}

#[derive(BinProt)]
struct Nameless {
    #[bin_prot(name = "")]
    one: i64,
}

#[derive(BinProt)]
struct Pair(#[bin_prot(name = "one")] i64, i64);

#[derive(BinProt)]
struct Indecisive {
    #[bin_prot(name = "one", name = "two")]
    field: i64,
}

fn main() {}
