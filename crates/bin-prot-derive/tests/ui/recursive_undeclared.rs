//! A type that contains itself has to say so.

use bin_prot::BinProt;

#[derive(BinProt)]
enum List {
    Nil,
    Cons(i64, Box<List>),
}

fn main() {}
