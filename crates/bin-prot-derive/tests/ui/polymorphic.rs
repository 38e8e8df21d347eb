//! `polymorphic` and `inherit`.

use bin_prot::BinProt;

#[derive(BinProt)]
#[bin_prot(polymorphic)]
struct Record {
    field: i64,
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
enum Empty {}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
enum Row {
    A,
    B { field: i64 },
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
enum Hashes {
    #[bin_prot(name = "dnctwrq")]
    One,
    #[bin_prot(name = "sbusnjd")]
    Two,
}

#[derive(BinProt)]
enum Ordinary {
    #[bin_prot(inherit)]
    One(Row),
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
enum Crowded {
    #[bin_prot(inherit)]
    Two(Row, Row),
}

#[derive(BinProt)]
#[bin_prot(polymorphic)]
enum Named {
    #[bin_prot(inherit, name = "row")]
    Row(Row),
}

#[derive(BinProt)]
struct Misplaced {
    #[bin_prot(inherit)]
    field: i64,
}

fn main() {}
