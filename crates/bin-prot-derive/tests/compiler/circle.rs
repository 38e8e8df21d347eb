//! Types that contain each other have to say so: the compiler finds the circle.

use bin_prot::BinProt;

#[derive(BinProt)]
struct Directory {
    entries: Vec<Entry>, //~ E0391 CIRCLES_ARE_DECLARED
}

#[derive(BinProt)]
enum Entry {
    Directory(Directory),
}

fn main() {}
