//! Each type of a group lists the same types in the same order.

use bin_prot::BinProt;

#[derive(BinProt)]
#[bin_prot(group(Directory, Entry))] //~ E0080 the types of a group list the same types in the same order
struct Directory {
    entries: Vec<Entry>,
}

#[derive(BinProt)]
#[bin_prot(group(Entry, Directory))] //~ E0080 the types of a group list the same types in the same order
enum Entry {
    Directory(Directory),
}

fn main() {}
