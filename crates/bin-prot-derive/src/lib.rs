//! `#[derive(BinProt)]` and its parts, for the `bin-prot` crate, whose documentation describes
//! the encoding. Use the macros through that crate: `bin_prot::BinProt`.
//!
//! A type is read into a model by `input`, where every mistake of the author is found; the
//! generators of `read`, `write` and `shape` turn the model into code and cannot fail.

mod input;
mod name;
mod read;
mod shape;
mod substitute;
mod write;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

use input::{Input, Shaped};

/// Derives `BinRead`, `BinWrite` and `BinShape`: the encoding and the shape of an OCaml type.
///
/// ```
/// use bin_prot::{BinProt, Int64, from_slice, to_vec};
///
/// #[derive(BinProt, Debug, PartialEq)]
/// struct Order {
///     #[bin_prot(name = "type_")]
///     kind: Kind,
///     #[bin_prot(as = Int64)]
///     nonce: i64,
/// }
///
/// #[derive(BinProt, Debug, PartialEq)]
/// enum Kind {
///     Market,
///     Limit { price: f64 },
/// }
///
/// let order = Order { kind: Kind::Market, nonce: 7 };
/// assert_eq!(to_vec(&order)?, [0x00, 0x07]);
/// assert_eq!(from_slice::<Order>(&[0x00, 0x07])?, order);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Which declaration becomes which OCaml type
///
/// | Rust | OCaml |
/// |---|---|
/// | struct with named fields | record |
/// | tuple struct of one field | the field's type itself, as an alias |
/// | tuple struct of several fields | tuple |
/// | enum | variant; constructors with named fields have an inline record |
/// | enum, `#[bin_prot(polymorphic)]` | polymorphic variant; several fields are one tuple |
///
/// Fields are written in the order of their declaration, constructors are numbered in it.
///
/// # Names
///
/// Names are part of the digest, and of the encoding of polymorphic variants. A field is called
/// as in Rust (without `r#`). A constructor is called as in Rust, with each capital that follows
/// a small letter or a digit turned into an underscore and a small letter:
///
/// | Rust | OCaml |
/// |---|---|
/// | `Red`, `E1`, `XE1`, `V2` | the same |
/// | `CouldNotConstruct` | `Could_not_construct` |
/// | `IoError` | `Io_error` |
/// | `IOError` | `IOError` |
///
/// Whatever does not fit is named by `#[bin_prot(name = "...")]`.
///
/// # Attributes
///
/// On the type:
///
/// - `polymorphic`: the enum is a polymorphic variant.
/// - `recursive`: the type contains itself, through `Box`, `Vec` or other containers.
/// - `group(A, B<T>, …)`: these types contain each other, this one among them. Each of them says
///   so, with the same list; their parameters stand in the list as placeholders.
/// - `annotate = "id"`: the shape is marked with this identity.
/// - `base = "id"`: the shape is a basic type of this name, applied to the type's parameters.
/// - `crate = "path"`: where the `bin-prot` crate is found, if not at `::bin_prot`.
///
/// On a field or constructor: `name = "..."`.
///
/// On a field: `as = Type`. The field is converted to this type (by `TryInto`, which every `Into`
/// is too), has its bytes and its shape, and is converted back after reading. So an `i64` becomes
/// an `Int64` or `Int16Bit`, and a type of another crate anything that has an encoding.
///
/// On a constructor of a polymorphic variant: `inherit`. Its only field is another polymorphic
/// variant, all of whose constructors this type has too, as OCaml's `[ other | ... ]`.
///
/// # Circles
///
/// Types that contain each other and do not say so are an error of the compiler: "cycle detected
/// when ... `CIRCLES_ARE_DECLARED`". It shows the fields by which they do.
///
/// # Generic types
///
/// Every type parameter gets the bound that its trait needs. A container with needs of its own,
/// such as `BTreeMap<K, V>`, which is read only with `K: Ord`, wants that bound on the type
/// itself. A type with a lifetime borrows from the input that it is read from; there may be one.
#[proc_macro_derive(BinProt, attributes(bin_prot))]
pub fn bin_prot(item: TokenStream) -> TokenStream {
    expand(
        item,
        Shaped::Yes,
        &[read::impl_for, write::impl_for, shape::impl_for],
    )
}

/// Derives `BinRead` alone; the rules are those of [`macro@BinProt`].
#[proc_macro_derive(BinRead, attributes(bin_prot))]
pub fn bin_read(item: TokenStream) -> TokenStream {
    expand(item, Shaped::No, &[read::impl_for])
}

/// Derives `BinWrite` alone; the rules are those of [`macro@BinProt`].
#[proc_macro_derive(BinWrite, attributes(bin_prot))]
pub fn bin_write(item: TokenStream) -> TokenStream {
    expand(item, Shaped::No, &[write::impl_for])
}

/// Derives `BinShape` alone; the rules are those of [`macro@BinProt`].
#[proc_macro_derive(BinShape, attributes(bin_prot))]
pub fn bin_shape(item: TokenStream) -> TokenStream {
    expand(item, Shaped::Yes, &[shape::impl_for])
}

fn expand(
    item: TokenStream,
    shaped: Shaped,
    generators: &[fn(&Input) -> proc_macro2::TokenStream],
) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    match Input::new(&item, shaped) {
        Ok(input) => {
            let impls = generators.iter().map(|generate| generate(&input));
            quote!(#(#impls)*).into()
        }
        Err(error) => error.into_compile_error().into(),
    }
}
