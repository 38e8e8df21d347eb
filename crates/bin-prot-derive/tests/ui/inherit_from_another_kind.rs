//! Only a polymorphic variant can be included in one.

use bin_prot::BinProt;

#[derive(BinProt)]
#[bin_prot(polymorphic)]
enum Row {
    #[bin_prot(inherit)]
    Number(i64),
}

fn main() {}
