//! Two-dimensional arrays of floats, in the order of Fortran: column by column.

use super::{Float, read_all, write_all};
use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::integer::nat0_size;
use crate::read::{BinRead, Reader};
use crate::write::{BinWrite, write_nat0};

macro_rules! matrix {
    ($($(#[$doc:meta])* $name:ident($float:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            rows: usize,
            columns: usize,
            /// Column by column: `rows * columns` of them.
            elements: Vec<$float>,
        }

        impl $name {
            /// The matrix of this many rows and columns with `element(row, column)` at each place.
            pub fn from_fn(
                rows: usize,
                columns: usize,
                mut element: impl FnMut(usize, usize) -> $float,
            ) -> Self {
                let places = (0..columns).flat_map(|column| (0..rows).map(move |row| (row, column)));
                let elements = places.map(|(row, column)| element(row, column)).collect();
                Self { rows, columns, elements }
            }

            /// The number of rows.
            pub fn rows(&self) -> usize {
                self.rows
            }

            /// The number of columns.
            pub fn columns(&self) -> usize {
                self.columns
            }

            /// The element in a row and column, both counted from 0, if there is one.
            pub fn get(&self, row: usize, column: usize) -> Option<$float> {
                if row >= self.rows || column >= self.columns {
                    return None;
                }
                self.elements.get(column * self.rows + row).copied()
            }

            /// The elements, column by column, as they travel.
            pub fn as_slice(&self) -> &[$float] {
                &self.elements
            }
        }

        impl BinWrite for $name {
            fn bin_size(&self) -> usize {
                nat0_size(self.rows) + nat0_size(self.columns) + size_of_val(self.as_slice())
            }

            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                write_nat0(buffer, self.rows);
                write_nat0(buffer, self.columns);
                write_all(buffer, &self.elements);
                Ok(())
            }
        }

        impl BinRead<'_> for $name {
            const MIN_SIZE: usize = 2;

            fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
                let (rows, columns) = dimensions(reader, <$float as Float>::SIZE)?;
                let elements = read_all(reader, rows * columns)?;
                Ok(Self { rows, columns, elements })
            }
        }
    )*};
}
matrix! {
    /// `mat`: bin_prot's name for a matrix of 64-bit floats.
    ///
    /// ```text
    /// offset  width       meaning
    ///      0  1, 3, 5, 9  R, the number of rows, a nat0
    ///                     then
    ///         1, 3, 5, 9  C, the number of columns, a nat0
    ///         8 R C       the elements of IEEE 754, 8 bytes each, LE, column by column
    ///
    /// 01  01  00 00 00 00 00 00 f0 3f    the matrix ((1.0))
    /// 02  03 …    the elements (0,0) (1,0) (0,1) (1,1) (0,2) (1,2)
    /// ```
    ///
    /// ```
    /// use bin_prot::{Mat, from_slice, to_vec};
    ///
    /// let matrix = Mat::from_fn(1, 1, |_, _| 1.0);
    /// let bytes = to_vec(&matrix)?;
    /// assert_eq!(bytes, [1, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    /// assert_eq!(from_slice::<Mat>(&bytes)?.get(0, 0), Some(1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Mat(f64);
    /// `float64_mat`: as [`Mat`], in another shape.
    ///
    /// ```text
    /// offset  width       meaning
    ///      0  1, 3, 5, 9  R, the number of rows, a nat0
    ///                     then
    ///         1, 3, 5, 9  C, the number of columns, a nat0
    ///         8 R C       the elements of IEEE 754, 8 bytes each, LE, column by column
    ///
    /// 01  00    one row without columns
    /// ```
    ///
    /// ```
    /// use bin_prot::{Float64Mat, to_vec};
    ///
    /// assert_eq!(to_vec(&Float64Mat::from_fn(1, 0, |_, _| 0.0))?, [1, 0]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Float64Mat(f64);
    /// `float32_mat`: a matrix of 32-bit floats.
    ///
    /// ```text
    /// offset  width       meaning
    ///      0  1, 3, 5, 9  R, the number of rows, a nat0
    ///                     then
    ///         1, 3, 5, 9  C, the number of columns, a nat0
    ///         4 R C       the elements of IEEE 754, 4 bytes each, LE, column by column
    ///
    /// 01  01  00 00 80 3f    the matrix ((1.0))
    /// ```
    ///
    /// ```
    /// use bin_prot::{Float32Mat, to_vec};
    ///
    /// assert_eq!(to_vec(&Float32Mat::from_fn(1, 1, |_, _| 1.0))?, [1, 1, 0, 0, 0x80, 0x3f]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    Float32Mat(f32);
}

/// Reads the numbers of rows and columns, and refuses a matrix that cannot be in what is left.
/// One without elements costs its sender nothing, so its numbers are believed only as far as a
/// list of elements without bytes would be.
pub(crate) fn dimensions(
    reader: &mut Reader<'_>,
    size: usize,
) -> Result<(usize, usize), ReadError> {
    let start = reader.offset();
    let rows = reader.count(0)?;
    let columns = reader.count(0)?;
    let needed = rows
        .checked_mul(columns)
        .and_then(|count| count.checked_mul(size));
    match needed {
        Some(needed) if needed <= reader.remaining() => Ok((rows, columns)),
        _ => Err(reader.error_at(
            start,
            ReadErrorKind::BufferShort {
                needed: needed.map_or(u64::MAX, |needed| needed as u64),
                left: reader.remaining(),
            },
        )),
    }
}
