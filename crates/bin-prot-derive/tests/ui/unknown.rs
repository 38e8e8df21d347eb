//! Attributes that do not exist, or not there.

use bin_prot::BinProt;

#[derive(BinProt)]
#[bin_prot(recursiv)]
struct Misspelt {
    field: i64,
}

#[derive(BinProt)]
#[bin_prot(name = "record")]
struct Named {
    field: i64,
}

#[derive(BinProt)]
struct Renamed {
    #[bin_prot(rename = "other")]
    field: i64,
}

#[derive(BinProt)]
enum Sum {
    #[bin_prot(polymorphic)]
    A,
}

#[derive(BinProt)]
#[bin_prot(polymorphic, polymorphic)]
enum Twice {
    A,
}

#[derive(BinProt)]
#[bin_prot(recursive)]
#[bin_prot(recursive)]
struct Again {
    rest: Vec<Again>,
}

#[derive(BinProt)]
#[bin_prot(crate = "bin_prot", crate = "bin_prot")]
struct Crates {
    field: i64,
}

fn main() {}
