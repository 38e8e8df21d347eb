//! Only a polymorphic variant can be included in one.

use bin_prot::BinProt;

#[derive(BinProt)]
#[bin_prot(polymorphic)]
enum Row {
    #[bin_prot(inherit)]
    Number(i64), //~ E0277 `i64` is no polymorphic variant and cannot be included in one
}

fn main() {}
