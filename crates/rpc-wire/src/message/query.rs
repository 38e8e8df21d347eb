//! Queries, in the four forms that the versions brought (*protocol* §5).

use std::ops::Range;

use bin_prot::{
    BinRead, BinWrite, OrNull, ReadError, ReadErrorKind, Reader, WriteError, nat0_size, variant,
    write_nat0,
};

use super::head::Head;
use crate::{
    DEFAULT_KEY, Data, DescriptionRef, KeyedMetadata, ProtocolVersion, QueryId, QueryMetadata,
};

pub(super) const V1: u8 = 0x01;
pub(super) const V2: u8 = 0x03;
pub(super) const V3: u8 = 0x09;
pub(super) const V4: u8 = 0x0c;

/// A query message: a call, the abort of a stream, or a one-way message (*protocol* §5).
///
/// ```text
/// offset  width  meaning
///      0  1      the tag: 01, 03, 09, 0c for the forms V1 to V4
///      1  …      V1 to V3: the RPC's name and version; V4: a Specifier
///      …  1 to 9 the id, an int
///      …  …      metadata. V1: none; V2: a string or_null; V3, V4: a KeyedMetadata or_null
///      …  …      the payload, see Data
///
/// 01  04 65 63 68 6f 01  01          06 05 68 65 6c 6c 6f    V1: echo 1, id 1, "hello"
/// 03  04 65 63 68 6f 01  01  00      06 05 68 65 6c 6c 6f    V2, no metadata
/// 09  04 65 63 68 6f 01  01  00      06 05 68 65 6c 6c 6f    V3
/// 0c  01 00              01  00      06 05 68 65 6c 6c 6f    V4, by rank 0
/// ```
///
/// ```
/// use rpc_wire::{Data, DescriptionRef, Message, ProtocolVersion, Query, QueryHeader, QueryId};
/// use rpc_wire::QueryMetadata;
///
/// let rpc = DescriptionRef { name: b"echo", version: 1 };
/// let (id, metadata) = (QueryId::new(1), QueryMetadata::new());
/// let query = |version: i64, rank| {
///     let version = ProtocolVersion::new(version).expect("1 to 11");
///     let header = QueryHeader::new(version, rpc, rank, id, &metadata);
///     bin_prot::to_vec(&Message::Query(Query { header, data: Data::new(b"\x05hello") }))
/// };
/// assert_eq!(query(1, None)?, b"\x01\x04echo\x01\x01\x06\x05hello");
/// assert_eq!(query(2, None)?, b"\x03\x04echo\x01\x01\x00\x06\x05hello");
/// assert_eq!(query(8, None)?, b"\x09\x04echo\x01\x01\x00\x06\x05hello");
/// assert_eq!(query(11, None)?, b"\x0c\x00\x04echo\x01\x01\x00\x06\x05hello");
/// assert_eq!(query(11, Some(0))?, b"\x0c\x01\x00\x01\x00\x06\x05hello");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    /// Everything before the payload.
    pub header: QueryHeader<'a>,
    /// The payload.
    pub data: Data<'a>,
}

/// Which RPC is asked, under which id, with which metadata: a [`Query`] up to its payload.
///
/// ```
/// use rpc_wire::{Message, Specifier};
///
/// let Message::Query(query) = Message::decode(b"\x0c\x01\x00\x01\x00\x06\x05hello")? else {
///     unreachable!()
/// };
/// assert_eq!(query.header.specifier(), Specifier::Rank(0));
/// assert_eq!(query.header.id.get(), 1);
/// assert_eq!(query.header.metadata(rpc_wire::DEFAULT_KEY), None);
/// # Ok::<(), bin_prot::ReadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryHeader<'a> {
    /// What differs between the four forms.
    pub envelope: Envelope<'a>,
    /// The id that the response will echo.
    pub id: QueryId,
}

/// What differs between the four forms of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope<'a> {
    /// Sent at version 1.
    V1 {
        /// The RPC.
        rpc: DescriptionRef<'a>,
    },
    /// Sent at versions 2 to 7.
    V2 {
        /// The RPC.
        rpc: DescriptionRef<'a>,
        /// The payload of [`DEFAULT_KEY`].
        metadata: Option<&'a [u8]>,
    },
    /// Sent at versions 8 to 10.
    V3 {
        /// The RPC.
        rpc: DescriptionRef<'a>,
        /// All keys.
        metadata: Option<KeyedMetadata<'a>>,
    },
    /// Sent at version 11.
    V4 {
        /// The RPC, by name or by rank.
        specifier: Specifier<'a>,
        /// All keys.
        metadata: Option<KeyedMetadata<'a>>,
    },
}

/// How a query names the RPC, from version 11 (*protocol* §11).
///
/// ```text
/// offset  width  meaning
///      0  1      00: by name; 01: by rank
///      1  …      the name and version; or the rank, an int
///
/// 00  04 65 63 68 6f 01    echo 1
/// 01  fe 80 00             rank 128
/// ```
///
/// ```
/// use rpc_wire::{DescriptionRef, Message, Specifier};
///
/// let Message::Query(query) = Message::decode(b"\x0c\x00\x04echo\x01\x01\x00\x00")? else {
///     unreachable!()
/// };
/// let echo = DescriptionRef { name: b"echo", version: 1 };
/// assert_eq!(query.header.specifier(), Specifier::Description(echo));
/// # Ok::<(), bin_prot::ReadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specifier<'a> {
    /// By name and version. `00`
    Description(DescriptionRef<'a>),
    /// By its position in the callee's menu. `01`; any OCaml `int` may arrive.
    Rank(i64),
}

impl<'a> QueryHeader<'a> {
    /// The header that a peer at `version` understands. A rank is used when it is given and the
    /// version has it (rule C-OP-5); metadata that the version cannot carry is left out
    /// (rule C-MD-7).
    #[inline]
    pub fn new(
        version: ProtocolVersion,
        rpc: DescriptionRef<'a>,
        rank: Option<usize>,
        id: QueryId,
        metadata: &'a QueryMetadata,
    ) -> Self {
        let envelope = if version.has_query_by_rank() {
            let rank = rank.and_then(|rank| i64::try_from(rank).ok());
            Envelope::V4 {
                specifier: rank.map_or(Specifier::Description(rpc), Specifier::Rank),
                metadata: KeyedMetadata::new(metadata),
            }
        } else if version.has_keyed_query_metadata() {
            Envelope::V3 {
                rpc,
                metadata: KeyedMetadata::new(metadata),
            }
        } else if version.has_query_metadata() {
            Envelope::V2 {
                rpc,
                metadata: metadata.get(DEFAULT_KEY),
            }
        } else {
            Envelope::V1 { rpc }
        };
        Self { envelope, id }
    }

    /// How the RPC is named.
    #[inline]
    pub fn specifier(&self) -> Specifier<'a> {
        match self.envelope {
            Envelope::V1 { rpc } | Envelope::V2 { rpc, .. } | Envelope::V3 { rpc, .. } => {
                Specifier::Description(rpc)
            }
            Envelope::V4 { specifier, .. } => specifier,
        }
    }

    /// The metadata under `key`.
    pub fn metadata(&self, key: i64) -> Option<&'a [u8]> {
        match self.envelope {
            Envelope::V1 { .. } => None,
            Envelope::V2 { metadata, .. } => metadata.filter(|_| key == DEFAULT_KEY),
            Envelope::V3 { metadata, .. } | Envelope::V4 { metadata, .. } => metadata?.get(key),
        }
    }

    /// All metadata, key by key, in the order sent.
    pub fn all_metadata(&self) -> impl Iterator<Item = (i64, &'a [u8])> {
        let (single, keyed) = match self.envelope {
            Envelope::V1 { .. } => (None, None),
            Envelope::V2 { metadata, .. } => (metadata, None),
            Envelope::V3 { metadata, .. } | Envelope::V4 { metadata, .. } => (None, metadata),
        };
        let single = single.map(|payload| (DEFAULT_KEY, payload));
        let keyed = keyed.into_iter().flat_map(KeyedMetadata::iter);
        single.into_iter().chain(keyed)
    }

    /// What precedes a payload, if it is what usually does: a small rank, and no metadata.
    #[inline]
    fn head(&self, payload: usize) -> Option<Head> {
        let Envelope::V4 {
            specifier: Specifier::Rank(rank @ 0..=0x7f),
            metadata: None,
        } = self.envelope
        else {
            return None;
        };
        let specifier = Head::new(V4.into(), 1).then(1 | rank.cast_unsigned() << 8, 2);
        let no_metadata = specifier.then_id(self.id.get())?.then(0, 1);
        no_metadata.then_length(payload)
    }

    /// Size of the message with a payload of `payload` bytes.
    #[inline]
    pub fn message_size(&self, payload: usize) -> usize {
        match self.head(payload) {
            Some(head) => head.len() + payload,
            None => self.any_message_size(payload),
        }
    }

    fn any_message_size(&self, payload: usize) -> usize {
        let envelope = match self.envelope {
            Envelope::V1 { rpc } => rpc.bin_size(),
            Envelope::V2 { rpc, metadata } => rpc.bin_size() + metadata.bin_size(),
            Envelope::V3 { rpc, metadata } => rpc.bin_size() + metadata.bin_size(),
            Envelope::V4 {
                specifier,
                metadata,
            } => specifier.bin_size() + metadata.bin_size(),
        };
        1 + envelope + self.id.bin_size() + nat0_size(payload) + payload
    }

    /// Appends the message up to its payload of `payload` bytes, which the caller appends next.
    ///
    /// # Errors
    /// The RPC's version, the id, the rank or a metadata key is outside the 63 bits of an `int`.
    #[inline]
    pub fn write_before(&self, payload: usize, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        match self.head(payload) {
            Some(head) => {
                head.write(buffer);
                Ok(())
            }
            None => self.write_any_before(payload, buffer),
        }
    }

    fn write_any_before(&self, payload: usize, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        match self.envelope {
            Envelope::V1 { rpc } => {
                buffer.push(V1);
                rpc.bin_write(buffer)?;
                self.id.bin_write(buffer)?;
            }
            Envelope::V2 { rpc, metadata } => {
                buffer.push(V2);
                rpc.bin_write(buffer)?;
                self.id.bin_write(buffer)?;
                metadata.bin_write(buffer)?;
            }
            Envelope::V3 { rpc, metadata } => {
                buffer.push(V3);
                rpc.bin_write(buffer)?;
                self.id.bin_write(buffer)?;
                metadata.bin_write(buffer)?;
            }
            Envelope::V4 {
                specifier,
                metadata,
            } => {
                buffer.push(V4);
                specifier.bin_write(buffer)?;
                self.id.bin_write(buffer)?;
                metadata.bin_write(buffer)?;
            }
        }
        write_nat0(buffer, payload);
        Ok(())
    }
}

impl<'a> QueryHeader<'a> {
    #[inline]
    fn read_after_tag(tag: u8, reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        // The id stands between the RPC and the metadata.
        let (envelope, id) = match tag {
            V1 => {
                let rpc = DescriptionRef::bin_read(reader)?;
                (Envelope::V1 { rpc }, QueryId::bin_read(reader)?)
            }
            V2 => {
                let rpc = DescriptionRef::bin_read(reader)?;
                let id = QueryId::bin_read(reader)?;
                let OrNull(metadata) = OrNull::bin_read(reader)?;
                (Envelope::V2 { rpc, metadata }, id)
            }
            V3 => {
                let rpc = DescriptionRef::bin_read(reader)?;
                let id = QueryId::bin_read(reader)?;
                let OrNull(metadata) = OrNull::bin_read(reader)?;
                (Envelope::V3 { rpc, metadata }, id)
            }
            _ => {
                let specifier = Specifier::bin_read(reader)?;
                let id = QueryId::bin_read(reader)?;
                let OrNull(metadata) = OrNull::bin_read(reader)?;
                let envelope = Envelope::V4 {
                    specifier,
                    metadata,
                };
                (envelope, id)
            }
        };
        Ok(Self { envelope, id })
    }
}

impl<'a> BinRead<'a> for QueryHeader<'a> {
    /// Reads the message's tag and everything up to the payload's length.
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let start = reader.offset();
        match reader.byte()? {
            tag @ (V1 | V2 | V3 | V4) => Self::read_after_tag(tag, reader),
            _ => Err(reader.error_at(start, ReadErrorKind::Invalid("not a query message"))),
        }
    }
}

impl<'a> Query<'a> {
    /// The query, if this is the body of one. What most messages of a busy callee are, without
    /// building a [`Message`](super::Message); `None` says nothing but that
    /// [`Message::decode`](super::Message::decode) has to look at it.
    ///
    /// ```
    /// use rpc_wire::{Message, Query};
    ///
    /// let body = b"\x0c\x01\x02\x07\xff\x03two";
    /// assert_eq!(Query::split(body).map(Message::Query), Message::decode(body).ok());
    /// ```
    #[inline]
    pub fn split(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        match reader.byte().ok()? {
            tag @ (V1 | V2 | V3 | V4) => Self::read_after_tag(tag, &mut reader).ok(),
            _ => None,
        }
    }

    /// Where in the body of a query its id is: queries for the same RPC often differ in nothing
    /// else of what precedes their payload.
    ///
    /// ```
    /// let body = b"\x0c\x01\x02\xfe\x80\x00\xff\x03two";
    /// assert_eq!(rpc_wire::Query::id_in(body), Some(3..6));
    /// ```
    pub fn id_in(body: &[u8]) -> Option<Range<usize>> {
        let mut reader = Reader::new(body);
        match reader.byte().ok()? {
            V1 | V2 | V3 => drop(DescriptionRef::bin_read(&mut reader).ok()?),
            V4 => drop(Specifier::bin_read(&mut reader).ok()?),
            _ => return None,
        }
        let start = reader.offset();
        QueryId::bin_read(&mut reader).ok()?;
        Some(start..reader.offset())
    }

    #[inline]
    pub(super) fn read_after_tag(tag: u8, reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let header = QueryHeader::read_after_tag(tag, reader)?;
        let data = Data::bin_read(reader)?;
        Ok(Self { header, data })
    }
}

impl BinWrite for Query<'_> {
    fn bin_size(&self) -> usize {
        // The size without data counts one byte for the length of none.
        self.header.message_size(0) - 1 + self.data.bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.header.write_before(0, buffer)?;
        buffer.pop();
        self.data.bin_write(buffer)
    }
}

impl<'a> BinRead<'a> for Specifier<'a> {
    #[inline]
    fn bin_read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        match variant::read_tag(reader, 2)? {
            0 => DescriptionRef::bin_read(reader).map(Self::Description),
            _ => reader.int().map(Self::Rank),
        }
    }
}

impl BinWrite for Specifier<'_> {
    #[inline]
    fn bin_size(&self) -> usize {
        1 + match self {
            Self::Description(rpc) => rpc.bin_size(),
            Self::Rank(rank) => rank.bin_size(),
        }
    }

    #[inline]
    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        match self {
            Self::Description(rpc) => {
                buffer.push(0);
                rpc.bin_write(buffer)
            }
            Self::Rank(rank) => {
                buffer.push(1);
                rank.bin_write(buffer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::head::EDGES;
    use super::*;

    #[test]
    fn usual_form_is_the_same_in_short() {
        let rpc = DescriptionRef {
            name: b"echo",
            version: 1,
        };
        let (none, some) = (QueryMetadata::new(), QueryMetadata::new().with(0, "x"));
        for rank in [None, Some(0), Some(127), Some(128)] {
            for metadata in [&none, &some] {
                for (id, payload) in EDGES.iter().flat_map(|id| EDGES.map(|edge| (*id, edge))) {
                    let id = QueryId::new(id);
                    let header = QueryHeader::new(ProtocolVersion::MAX, rpc, rank, id, metadata);
                    let Some(payload) = usize::try_from(payload).ok() else {
                        continue;
                    };
                    let mut long = Vec::new();
                    header.write_any_before(payload, &mut long).unwrap();
                    let size = header.any_message_size(payload);
                    assert_eq!(size, long.len() + payload);
                    // With just as much room as there must be, and with more.
                    for room in [long.len(), 100] {
                        let mut short = Vec::with_capacity(room);
                        header.write_before(payload, &mut short).unwrap();
                        assert_eq!((&short, header.message_size(payload)), (&long, size));
                        assert_eq!(short.capacity(), room);
                    }
                }
            }
        }
    }
}
