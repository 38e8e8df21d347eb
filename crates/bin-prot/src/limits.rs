//! How much a reader lets its input ask for.

/// How deep values may nest by default: every list, box and map on the way down counts.
///
/// The reference has no such bound and uses its stack; 1,024 levels fit the stack of a thread
/// with room to spare, and no protocol message comes near it.
pub const DEFAULT_DEPTH: u32 = 1024;

/// Bounds that a [`Reader`](crate::Reader) enforces, beyond those that its input's length gives.
///
/// Whatever the limits, reading allocates no more than a small multiple of the input's length:
/// lengths and counts are compared with what is left, and memory for elements that are only
/// announced is reserved sparingly. Limits refuse sooner, where it is known that no honest value
/// is so long or so deep.
///
/// ```
/// use bin_prot::{BinRead, Limits, ReadErrorKind, Reader};
///
/// let limits = Limits::default().count(2);
/// let mut reader = Reader::new(&[3, 1, 2, 3]).with_limits(limits);
/// let error = Vec::<i64>::bin_read(&mut reader).unwrap_err();
/// assert_eq!(error.kind, ReadErrorKind::ListTooLong { count: 3, limit: 2 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) depth: u32,
    pub(crate) length: usize,
    pub(crate) count: usize,
}

impl Limits {
    /// How deep values may nest: every list, box and map counts, and each may use a few hundred
    /// bytes of the stack. [`DEFAULT_DEPTH`] by default; 0 refuses all of these.
    #[must_use]
    pub fn depth(mut self, levels: u32) -> Self {
        self.depth = levels;
        self
    }

    /// How many bytes the input may have. Any number by default: frames are bounded before they
    /// are read.
    #[must_use]
    pub fn length(mut self, bytes: usize) -> Self {
        self.length = bytes;
        self
    }

    /// How many elements each list, array, map or set may have. Any number by default, since
    /// elements take bytes; those that take none are bounded by the input's length.
    #[must_use]
    pub fn count(mut self, elements: usize) -> Self {
        self.count = elements;
        self
    }
}

/// [`DEFAULT_DEPTH`], and no limit that the input's length does not give.
impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: DEFAULT_DEPTH,
            length: usize::MAX,
            count: usize::MAX,
        }
    }
}
