//! `recursive` and `group`.

use bin_prot::BinProt;

#[derive(BinProt)]
enum List {
    Nil,
    Cons(i64, Box<List>),
}

#[derive(BinProt)]
struct Tree {
    children: Vec<Self>,
}

#[derive(BinProt)]
#[bin_prot(recursive)]
struct Array<const N: usize> {
    rest: Vec<Self>,
}

#[derive(BinProt)]
#[bin_prot(group(List, Tree))]
struct Stranger(i64);

#[derive(BinProt)]
#[bin_prot(recursive, group(Both))]
struct Both {
    rest: Vec<Both>,
}

fn main() {}
