//! `crate` names the crate; if there is none, the attribute is what is shown.

#[derive(bin_prot::BinProt)]
#[bin_prot(crate = "nowhere")] //~ E0433
struct Path {
    field: i64,
}

fn main() {}
