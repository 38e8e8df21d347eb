//! A field is converted to a type and back again.

use bin_prot::{BinProt, Int16Bit};

#[derive(BinProt)]
struct Header {
    #[bin_prot(as = Int16Bit)] //~ E0277
    flags: String, //~ E0277
}

fn main() {}
