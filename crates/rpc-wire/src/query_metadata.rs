//! The metadata of a query: texts under integer keys (*protocol* §10).

use std::collections::HashSet;

use bin_prot::{
    BinRead, BinWrite, ByteString, ReadError, Reader, WriteError, nat0_size, write_nat0,
};

/// The key that peers below version 8 know as the only one.
pub const DEFAULT_KEY: i64 = 0;

/// Metadata to send with a query: payloads under integer keys.
///
/// Version 1 cannot carry any; versions 2 to 7 carry the payload of [`DEFAULT_KEY`] only
/// (rule C-MD-7).
///
/// ```
/// use rpc_wire::{DEFAULT_KEY, QueryMetadata};
///
/// let metadata = QueryMetadata::new().with(DEFAULT_KEY, "trace").with(5, "x");
/// assert_eq!(metadata.get(5), Some(&b"x"[..]));
/// assert_eq!(metadata.truncated(2).get(DEFAULT_KEY), Some(&b"tr"[..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryMetadata {
    entries: Vec<(i64, ByteString)>,
}

impl QueryMetadata {
    /// No metadata.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// With `payload` under `key`, in place of what was there.
    #[must_use]
    pub fn with(mut self, key: i64, payload: impl Into<ByteString>) -> Self {
        let payload = payload.into();
        match self.entries.iter_mut().find(|(other, _)| *other == key) {
            Some((_, value)) => *value = payload,
            None => self.entries.push((key, payload)),
        }
        self
    }

    /// With each payload cut to its first `bytes` bytes, whatever characters that splits
    /// (rule C-MD-5).
    #[must_use]
    pub fn truncated(mut self, bytes: usize) -> Self {
        for (_, payload) in &mut self.entries {
            payload.0.truncate(bytes);
        }
        self
    }

    /// The payload under `key`.
    pub fn get(&self, key: i64) -> Option<&[u8]> {
        let (_, payload) = self.entries.iter().find(|(other, _)| *other == key)?;
        Some(payload.as_bytes())
    }

    /// The keys and payloads, in the order in which they are sent.
    pub fn entries(&self) -> &[(i64, ByteString)] {
        &self.entries
    }
}

/// Of a key that comes twice, the first payload counts: what a peer's metadata is read as.
impl<P: Into<ByteString>> FromIterator<(i64, P)> for QueryMetadata {
    fn from_iter<I: IntoIterator<Item = (i64, P)>>(entries: I) -> Self {
        let mut keys = HashSet::new();
        let entries = entries.into_iter().filter(|(key, _)| keys.insert(*key));
        Self {
            entries: entries
                .map(|(key, payload)| (key, payload.into()))
                .collect(),
        }
    }
}

/// The list of keys and payloads inside a query message, from version 8 (*protocol* §10).
///
/// ```text
/// offset  width       meaning
///      0  1, 3, 5, 9  N, a nat0
///                     then
///         …           N times key: int ‖ payload: string
///
/// 02  00 05 74 72 61 63 65  05 01 78    "trace" under 0, "x" under 5
/// ```
///
/// ```
/// use rpc_wire::{KeyedMetadata, QueryMetadata};
///
/// let metadata = QueryMetadata::new().with(0, "trace").with(5, "x");
/// let keyed = KeyedMetadata::new(&metadata).expect("not empty");
/// assert_eq!(bin_prot::to_vec(&keyed)?, b"\x02\x00\x05trace\x05\x01x");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct KeyedMetadata<'a>(Entries<'a>);

#[derive(Clone, Copy, Debug)]
enum Entries<'a> {
    /// As received: checked, not copied.
    Encoded { count: usize, bytes: &'a [u8] },
    /// To be sent.
    Listed(&'a [(i64, ByteString)]),
}

impl<'a> KeyedMetadata<'a> {
    /// The wire form of metadata to send; nothing instead of an empty list (rule C-MD-4).
    pub fn new(metadata: &'a QueryMetadata) -> Option<Self> {
        let entries = metadata.entries();
        (!entries.is_empty()).then_some(Self(Entries::Listed(entries)))
    }

    /// Keys and payloads, in wire order. A key may occur twice; the first one counts.
    pub fn iter(self) -> impl Iterator<Item = (i64, &'a [u8])> {
        let (mut encoded, listed) = match self.0 {
            Entries::Encoded { count, bytes } => ((count, Reader::new(bytes)), [].as_slice()),
            Entries::Listed(entries) => ((0, Reader::new(&[])), entries),
        };
        let encoded = std::iter::from_fn(move || {
            encoded.0 = encoded.0.checked_sub(1)?;
            // Decoding checked every entry; a failure here cannot happen and would end the list.
            <(i64, &[u8])>::bin_read(&mut encoded.1).ok()
        });
        let listed = listed
            .iter()
            .map(|(key, payload)| (*key, payload.as_bytes()));
        encoded.chain(listed)
    }

    /// The payload under `key`.
    pub fn get(self, key: i64) -> Option<&'a [u8]> {
        self.iter()
            .find_map(|(other, payload)| (other == key).then_some(payload))
    }
}

impl PartialEq for KeyedMetadata<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for KeyedMetadata<'_> {}

impl<'a> BinRead<'a> for KeyedMetadata<'a> {
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let count = reader.count(<(i64, &[u8])>::MIN_SIZE)?;
        let bytes = reader.rest();
        let start = reader.offset();
        for _ in 0..count {
            <(i64, &[u8])>::bin_read(reader)?;
        }
        let bytes = bytes.get(..reader.offset() - start).unwrap_or(bytes);
        Ok(Self(Entries::Encoded { count, bytes }))
    }
}

impl BinWrite for KeyedMetadata<'_> {
    fn bin_size(&self) -> usize {
        match self.0 {
            Entries::Encoded { count, bytes } => nat0_size(count) + bytes.len(),
            Entries::Listed(entries) => entries.bin_size(),
        }
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        match self.0 {
            Entries::Encoded { count, bytes } => {
                write_nat0(buffer, count);
                buffer.extend_from_slice(bytes);
                Ok(())
            }
            Entries::Listed(entries) => entries.bin_write(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However many entries there are: each key is looked up once.
    #[test]
    fn first_payload_of_a_key_counts() {
        let entries = (0..200_000_i64).map(|n| (n % 50_000, n.to_string()));
        let metadata: QueryMetadata = entries.collect();
        assert_eq!(metadata.entries().len(), 50_000);
        assert_eq!(metadata.get(7), Some(b"7".as_slice()));
    }
}
