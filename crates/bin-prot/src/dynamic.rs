//! Values of types that are known only at run time, from a [`Shape`].
//!
//! A peer tells the shapes of its RPCs; with a shape alone, values can be read, shown, edited and
//! written, without a Rust type and without recompiling. A [`Type`] is a shape made ready for
//! that; a [`Value`] is any value, and has a form as S-expression and, with the feature `json`,
//! as JSON.
//!
//! ```
//! use bin_prot::dynamic::Type;
//! use bin_prot::shape::{BinShape, Shape};
//!
//! let shape = Shape::from_sexp(&"(Record ((name (Base string ())) (version (Base int ()))))".parse()?)?;
//! let ty = Type::new(&shape)?;
//!
//! let value = ty.from_slice(&[0x02, b'g', b'o', 0x03])?;
//! assert_eq!(value.to_sexp().to_string_hum(), "((name go) (version 3))");
//!
//! let value = ty.parse_sexp(&"((version 4) (name go))".parse()?)?;
//! assert_eq!(ty.to_vec(&value)?, [0x02, b'g', b'o', 0x04]);
//!
//! let error = ty.parse_sexp(&"((version x) (name go))".parse()?).unwrap_err();
//! assert_eq!(error.to_string(), "at .version: expected int, found x");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compile;
mod environment;
mod error;
mod integer;
#[cfg(feature = "json")]
mod json;
mod node;
mod read;
mod sexp;
mod value;
mod write;

use crate::read::Reader;
use crate::shape::Shape;

pub use compile::CompileError;
pub use error::{Error, ErrorKind, Segment};
pub use value::{Matrix, Name, Value};

use environment::At;
use node::Node;

/// A type, from its shape. Making one costs time; keep it where it is used often.
///
/// ```
/// use bin_prot::dynamic::{Type, Value};
/// use bin_prot::shape::BinShape;
///
/// let ty = Type::new(&<(i64, Option<bool>)>::bin_shape())?;
/// let value = ty.from_slice(&[0x07, 0x00])?;
/// assert_eq!(value, Value::Tuple(vec![Value::Int(7), Value::Option(None)]));
/// assert_eq!((ty.size(&value)?, ty.to_vec(&value)?), (2, vec![0x07, 0x00]));
///
/// let error = ty.from_slice(&[0x07, 0x01, 0x02]).unwrap_err();
/// assert_eq!(error.to_string(), "at [1]: at byte 2: bool is 00 or 01, found 0x02");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Type {
    nodes: Vec<Node>,
    /// For each node a lower bound of the bytes that its values take.
    least: Vec<usize>,
    root: usize,
    depth: u32,
}

/// How deep values may nest by default: every part of another value counts.
///
/// Less than [`bin_prot::DEFAULT_DEPTH`](crate::DEFAULT_DEPTH): walking along a shape takes more
/// of the stack than code that was made for a type. S-expressions inside a value are walked by
/// such code.
pub const DEFAULT_DEPTH: u32 = 256;

impl Type {
    /// The type of a shape.
    ///
    /// # Errors
    /// The expression is not the shape of any type, or contains a basic type of which the
    /// encoding is not known.
    pub fn new(shape: &Shape) -> Result<Self, CompileError> {
        compile::compile(shape)
    }

    /// The same type with another limit on the depth of values that are read, written or parsed,
    /// instead of [`DEFAULT_DEPTH`]. Each level may use a few thousand bytes of the stack.
    #[must_use]
    pub fn with_depth(mut self, levels: u32) -> Self {
        self.depth = levels;
        self
    }

    /// Reads one value and leaves the reader behind it.
    ///
    /// Beside the reader's limits there is one on the number of values: types may say that much
    /// is made of few bytes, and their shape may come from the same stranger as the bytes.
    ///
    /// # Errors
    /// The bytes are no value of the type; the error says where in the value.
    pub fn read(&self, reader: &mut Reader<'_>) -> Result<Value, Error> {
        read::read(self, reader)
    }

    /// Reads a value that takes up the whole of `bytes`.
    ///
    /// # Errors
    /// The bytes are no value of the type, or go on after it.
    pub fn from_slice(&self, bytes: &[u8]) -> Result<Value, Error> {
        let mut reader = Reader::new(bytes);
        let value = self.read(&mut reader)?;
        reader.finish().map_err(Error::from)?;
        Ok(value)
    }

    /// The number of bytes that [`write`](Self::write) appends.
    ///
    /// # Errors
    /// `value` is no value of the type.
    pub fn size(&self, value: &Value) -> Result<usize, Error> {
        write::size(self, value)
    }

    /// Appends the encoding to `buffer`.
    ///
    /// # Errors
    /// `value` is no value of the type. What was appended before the error was found stays in
    /// the buffer.
    pub fn write(&self, value: &Value, buffer: &mut Vec<u8>) -> Result<(), Error> {
        write::write(self, value, buffer)
    }

    /// The encoding of a value, in a buffer of exactly its size.
    ///
    /// # Errors
    /// `value` is no value of the type.
    pub fn to_vec(&self, value: &Value) -> Result<Vec<u8>, Error> {
        let mut buffer = Vec::with_capacity(self.size(value)?);
        self.write(value, &mut buffer)?;
        Ok(buffer)
    }

    fn root(&self) -> At<'static> {
        At::new(self.root, None)
    }

    fn least_size(&self, node: usize) -> usize {
        self.least.get(node).copied().unwrap_or(0)
    }

    /// A node by its number; all numbers in a program are those of nodes.
    fn node(&self, number: usize) -> &Node {
        self.nodes.get(number).unwrap_or(&Node::Empty)
    }
}
