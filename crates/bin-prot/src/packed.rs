//! Arrays and matrices of floats, which the reference copies as blocks of memory
//! (*bin_prot* §5). Those of 8 bytes each have the encoding of an [`Array<f64>`](crate::Array), in
//! shapes of their own.

mod matrix;

use std::ops::Deref;

use crate::error::{ReadError, WriteError};
use crate::integer::nat0_size;
use crate::read::{BinRead, Reader};
use crate::write::{BinWrite, write_nat0};

pub(crate) use matrix::dimensions;
pub use matrix::{Float32Mat, Float64Mat, Mat};

/// A float of a fixed size.
trait Float: Copy {
    type Bytes: AsRef<[u8]>;
    const SIZE: usize = size_of::<Self>();

    fn bytes(self) -> Self::Bytes;
    fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError>;
}

macro_rules! float {
    ($($type:ty),*) => {$(
        impl Float for $type {
            type Bytes = [u8; size_of::<$type>()];

            #[inline]
            fn bytes(self) -> Self::Bytes {
                self.to_le_bytes()
            }

            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
                reader.array().map(Self::from_le_bytes)
            }
        }
    )*};
}
float!(f64, f32);

#[inline]
fn write_all<F: Float>(buffer: &mut Vec<u8>, floats: &[F]) {
    for float in floats {
        buffer.extend_from_slice(float.bytes().as_ref());
    }
}

/// Reads floats, whose count has been compared with what is left.
#[inline]
fn read_all<F: Float>(reader: &mut Reader<'_>, count: usize) -> Result<Vec<F>, ReadError> {
    let mut floats = Vec::with_capacity(count);
    for _ in 0..count {
        floats.push(F::read(reader)?);
    }
    Ok(floats)
}

macro_rules! vector {
    ($($(#[$doc:meta])* $name:ident($float:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, PartialOrd)]
        pub struct $name(pub Vec<$float>);

        impl Deref for $name {
            type Target = [$float];

            fn deref(&self) -> &[$float] {
                &self.0
            }
        }

        impl From<Vec<$float>> for $name {
            fn from(floats: Vec<$float>) -> Self {
                Self(floats)
            }
        }

        impl From<$name> for Vec<$float> {
            fn from(floats: $name) -> Self {
                floats.0
            }
        }

        impl BinWrite for $name {
            #[inline]
            fn bin_size(&self) -> usize {
                nat0_size(self.len()) + size_of_val(&**self)
            }

            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                write_nat0(buffer, self.len());
                write_all(buffer, &self.0);
                Ok(())
            }
        }

        impl BinRead<'_> for $name {
            fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
                let count = reader.count(<$float as Float>::SIZE)?;
                read_all(reader, count).map(Self)
            }
        }
    )*};
}
vector! {
    /// OCaml's `floatarray`.
    ///
    /// ```text
    /// offset  width       meaning
    ///      0  1, 3, 5, 9  N, a nat0
    ///                     then
    ///         8 N         N floats of IEEE 754, 8 bytes each, LE
    ///
    /// 01  00 00 00 00 00 00 04 40    the one float 2.5
    /// ```
    ///
    /// ```
    /// use bin_prot::{FloatArray, to_vec};
    ///
    /// assert_eq!(to_vec(&FloatArray(vec![2.5]))?, [1, 0, 0, 0, 0, 0, 0, 0x04, 0x40]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    FloatArray(f64);
    /// `vec`: bin_prot's name for a one-dimensional bigarray of 64-bit floats.
    ///
    /// ```text
    /// offset  width       meaning
    ///      0  1, 3, 5, 9  N, a nat0
    ///                     then
    ///         8 N         N floats of IEEE 754, 8 bytes each, LE
    ///
    /// 01  00 00 00 00 00 00 f0 3f    the one float 1.0
    /// ```
    ///
    /// ```
    /// use bin_prot::{FloatVec, to_vec};
    ///
    /// assert_eq!(to_vec(&FloatVec(vec![1.0]))?, [1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    FloatVec(f64);
    /// `float64_vec`: as [`FloatVec`], in another shape.
    ///
    /// ```text
    /// offset  width       meaning
    ///      0  1, 3, 5, 9  N, a nat0
    ///                     then
    ///         8 N         N floats of IEEE 754, 8 bytes each, LE
    ///
    /// 01  00 00 00 00 00 00 00 c0    the one float −2.0
    /// ```
    ///
    /// ```
    /// use bin_prot::{Float64Vec, to_vec};
    ///
    /// assert_eq!(to_vec(&Float64Vec(vec![-2.0]))?, [1, 0, 0, 0, 0, 0, 0, 0, 0xc0]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Float64Vec(f64);
    /// `float32_vec`: a one-dimensional bigarray of 32-bit floats.
    ///
    /// ```text
    /// offset  width       meaning
    ///      0  1, 3, 5, 9  N, a nat0
    ///                     then
    ///         4 N         N floats of IEEE 754, 4 bytes each, LE
    ///
    /// 01  00 00 80 3f    the one float 1.0
    /// ```
    ///
    /// ```
    /// use bin_prot::{Float32Vec, to_vec};
    ///
    /// assert_eq!(to_vec(&Float32Vec(vec![1.0]))?, [1, 0, 0, 0x80, 0x3f]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Float32Vec(f32);
}
