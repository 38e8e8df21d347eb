//! Types that have no counterpart in OCaml.

use bin_prot::BinProt;

#[derive(BinProt)]
struct Empty;

#[derive(BinProt)]
union Either {
    one: u32,
    two: f32,
}

#[derive(BinProt)]
enum Sum {
    A,
    B {},
}

#[derive(BinProt)]
struct Two<'a, 'b> {
    one: &'a str,
    two: &'b str,
}

fn main() {}
