//! A compact notation of shapes, in which every sequence of bytes is a shape: for inputs that are
//! changed at random and should still mean something.
//!
//! A byte tells the kind of expression, further ones its names and parts. What is missing at the
//! end is 0. Types of groups and their parameters are called by their numbers.

mod codes;
mod decode;
mod encode;

use bin_prot::shape::Shape;

pub use decode::decode;
pub use encode::encode;

/// A shape, and what follows it.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The shape. It may be that of no type.
    pub shape: Shape,
    /// Whether all names are printable ASCII.
    pub has_plain_names: bool,
    /// The bytes behind it.
    pub rest: &'a [u8],
}
