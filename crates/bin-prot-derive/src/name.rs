//! Names: how a Rust constructor is called in OCaml, and how that name travels in a polymorphic
//! variant.

use syn::Ident;
use syn::ext::IdentExt as _;

/// A field's name: the identifier without `r#`.
pub(crate) fn field(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// A constructor's name: a capital that follows a small letter or a digit begins a new word.
pub(crate) fn constructor(ident: &Ident) -> String {
    let ident = field(ident);
    let mut name = String::with_capacity(ident.len() + 4);
    let mut after_word = false;
    for char in ident.chars() {
        if after_word && char.is_ascii_uppercase() {
            name.push('_');
            name.push(char.to_ascii_lowercase());
        } else {
            name.push(char);
        }
        after_word = char.is_ascii_lowercase() || char.is_ascii_digit();
    }
    name
}

/// The four bytes of a polymorphic variant's constructor: its hash `h` as `2h + 1`, little endian
/// (*bin_prot* §3.1, §7.3).
pub(crate) fn tag(name: &str) -> [u8; 4] {
    let hash = name.bytes().fold(0_u32, |hash, byte| {
        hash.wrapping_mul(223).wrapping_add(byte.into())
    });
    // Doubling drops the one bit that the 31-bit hash does not have.
    ((hash << 1) | 1).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rust: &str, ocaml: &str) {
        let ident = syn::parse_str::<Ident>(rust).unwrap();
        assert_eq!(constructor(&ident), ocaml);
    }

    #[test]
    fn constructors_are_called_in_the_style_of_ocaml() {
        check("Red", "Red");
        check("E1", "E1");
        check("XE1", "XE1");
        check("V2", "V2");
        check("CouldNotConstruct", "Could_not_construct");
        check("OfList", "Of_list");
        check("IOError", "IOError");
        check("Already_so", "Already_so");
    }

    #[test]
    fn tags_are_the_documented_ones() {
        assert_eq!(tag("Ok"), [0x79, 0x8a, 0, 0]);
        assert_eq!(tag("Query"), [0xd1, 0xf5, 0x2f, 0xe2]);
        assert_eq!(tag("Version"), [0xf1, 0x1d, 0x86, 0x94]);
    }
}
