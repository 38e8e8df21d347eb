//! Each type of a group lists the same types in the same order.

use bin_prot::BinProt;

#[derive(BinProt)]
#[bin_prot(group(Directory, Entry))]
struct Directory {
    entries: Vec<Entry>,
}

#[derive(BinProt)]
#[bin_prot(group(Entry, Directory))]
enum Entry {
    Directory(Directory),
}

#[derive(BinProt)]
#[bin_prot(group(Directory, Entry))]
struct Stranger(Directory);

fn main() {}
