//! The messages as *protocol* §5 declares them, encoded by the derive alone: owned, slow and
//! obviously right. Their digests are the reference's, which proves their structure.
//!
//! `D` is the type of the payload: bytes with a length on the wire, other types for the digests.

use bin_prot::shape::{BinShape, Shape};
use bin_prot::{BinProt, BinRead, BinWrite, ByteString, Info, Nat0, OrNull, Sexp};
use rpc_wire::{
    CloseReason, CloseReasonKind, Data, DescriptionRef, Envelope, KeyedMetadata, Message, Metadata,
    MetadataV2, Query, QueryHeader, QueryId, QueryMetadata, Response, ResponseForm, ResponseHeader,
    RpcError, Specifier,
};

/// The 13 constructors, in the order of their tags.
#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) enum NaiveMessage<D> {
    Heartbeat,
    QueryV1(QueryV1<D>),
    ResponseV1(ResponseV1<D>),
    QueryV2(QueryV2<D>),
    Metadata(Metadata),
    CloseReason(Info),
    CloseReasonDuplicated(Info),
    MetadataV2(MetadataV2),
    ResponseV2(ResponseV2<D>),
    QueryV3(QueryV3<D>),
    CloseStarted,
    CloseReasonV2(NaiveCloseReason),
    QueryV4(QueryV4<D>),
}

#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) struct QueryV1<D> {
    pub(crate) tag: ByteString,
    pub(crate) version: i64,
    pub(crate) id: QueryId,
    pub(crate) data: D,
}

#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) struct QueryV2<D> {
    pub(crate) tag: ByteString,
    pub(crate) version: i64,
    pub(crate) id: QueryId,
    pub(crate) metadata: OrNull<ByteString>,
    pub(crate) data: D,
}

#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) struct QueryV3<D> {
    pub(crate) tag: ByteString,
    pub(crate) version: i64,
    pub(crate) id: QueryId,
    pub(crate) metadata: NaiveMetadata,
    pub(crate) data: D,
}

#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) struct QueryV4<D> {
    pub(crate) specifier: NaiveSpecifier,
    pub(crate) id: QueryId,
    pub(crate) metadata: NaiveMetadata,
    pub(crate) data: D,
}

/// The metadata of a query, from version 8.
pub(crate) type NaiveMetadata = OrNull<Vec<(i64, ByteString)>>;

#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) enum NaiveSpecifier {
    TagAndVersion(ByteString, i64),
    Rank(i64),
}

#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) struct ResponseV1<D> {
    pub(crate) id: QueryId,
    pub(crate) data: Result<D, RpcError>,
}

#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) struct ResponseV2<D> {
    pub(crate) id: QueryId,
    pub(crate) impl_menu_index: Option<RpcNat0>,
    pub(crate) data: Result<D, RpcError>,
}

/// The protocol's own natural number: the bytes of any other, a digest of its own.
#[derive(Clone, Copy, Debug, PartialEq, BinRead, BinWrite)]
pub(crate) struct RpcNat0(pub(crate) Nat0);

impl BinShape for RpcNat0 {
    fn bin_shape() -> Shape {
        Shape::base("899e2f4a-490a-11e6-b68f-bbd62472516c", [])
    }
}

#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) struct NaiveCloseReason {
    pub(crate) kind: Sexp,
    pub(crate) debug_info: Option<Info>,
    pub(crate) user_reason: Option<Info>,
}

/// The payload of a stream's query.
#[derive(Clone, Debug, PartialEq, BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum NaiveStreamQuery<D> {
    Query(D),
    Abort,
}

/// The payload of a stream's first response.
#[derive(Clone, Debug, PartialEq, BinProt)]
pub(crate) struct NaiveInitial<S, E> {
    pub(crate) unused_query_id: QueryId,
    pub(crate) initial: Result<S, E>,
}

/// The payload of a stream's other responses.
#[derive(Clone, Debug, PartialEq, BinProt)]
#[bin_prot(polymorphic)]
pub(crate) enum NaiveStreamResponse<D> {
    Ok(D),
    Eof,
}

impl NaiveMessage<Vec<u8>> {
    /// The same message, from the crate's own type.
    ///
    /// # Panics
    /// If its payload is longer than its frame.
    #[track_caller]
    pub(crate) fn of(message: &Message<'_>) -> Self {
        match message {
            Message::Heartbeat => Self::Heartbeat,
            Message::Query(query) => Self::of_query(query),
            Message::Response(response) => {
                let id = response.header.id;
                let data = match &response.result {
                    Ok(data) => Ok(data.bytes().unwrap().to_vec()),
                    Err(error) => Err(error.clone()),
                };
                match response.header.form {
                    ResponseForm::V1 => Self::ResponseV1(ResponseV1 { id, data }),
                    ResponseForm::V2 { menu_index } => Self::ResponseV2(ResponseV2 {
                        id,
                        impl_menu_index: menu_index.map(RpcNat0),
                        data,
                    }),
                }
            }
            Message::Metadata(metadata) => Self::Metadata(metadata.clone()),
            Message::MetadataV2(metadata) => Self::MetadataV2(metadata.clone()),
            Message::CloseReason(info) => Self::CloseReason(info.clone()),
            Message::CloseReasonDuplicated(info) => Self::CloseReasonDuplicated(info.clone()),
            Message::CloseStarted => Self::CloseStarted,
            Message::CloseReasonV2(reason) => {
                // The kind as written is told by the bytes alone.
                let bytes = bin_prot::to_vec(reason).unwrap();
                Self::CloseReasonV2(bin_prot::from_slice(&bytes).unwrap())
            }
        }
    }

    #[track_caller]
    fn of_query(query: &Query<'_>) -> Self {
        let QueryHeader { envelope, id } = query.header;
        let data = query.data.bytes().unwrap().to_vec();
        let keyed = |metadata: Option<KeyedMetadata<'_>>| {
            OrNull(metadata.map(|metadata| {
                let owned = |(key, payload): (i64, &[u8])| (key, ByteString::from(payload));
                metadata.iter().map(owned).collect()
            }))
        };
        match envelope {
            Envelope::V1 { rpc } => Self::QueryV1(QueryV1 {
                tag: rpc.name.into(),
                version: rpc.version,
                id,
                data,
            }),
            Envelope::V2 { rpc, metadata } => Self::QueryV2(QueryV2 {
                tag: rpc.name.into(),
                version: rpc.version,
                id,
                metadata: OrNull(metadata.map(ByteString::from)),
                data,
            }),
            Envelope::V3 { rpc, metadata } => Self::QueryV3(QueryV3 {
                tag: rpc.name.into(),
                version: rpc.version,
                id,
                metadata: keyed(metadata),
                data,
            }),
            Envelope::V4 {
                specifier,
                metadata,
            } => Self::QueryV4(QueryV4 {
                specifier: match specifier {
                    Specifier::Description(rpc) => {
                        NaiveSpecifier::TagAndVersion(rpc.name.into(), rpc.version)
                    }
                    Specifier::Rank(rank) => NaiveSpecifier::Rank(rank),
                },
                id,
                metadata: keyed(metadata),
                data,
            }),
        }
    }

    /// The metadata of a query as a sender keeps it; `None` if no sender can have it: a key
    /// twice, or a list that is present and empty.
    pub(crate) fn sendable_metadata(&self) -> Option<QueryMetadata> {
        let (Self::QueryV3(QueryV3 { metadata, .. }) | Self::QueryV4(QueryV4 { metadata, .. })) =
            self
        else {
            return Some(QueryMetadata::new());
        };
        let Some(listed) = &metadata.0 else {
            return Some(QueryMetadata::new());
        };
        let kept = listed
            .iter()
            .fold(QueryMetadata::new(), |kept, (key, payload)| {
                kept.with(*key, payload.clone())
            });
        (!listed.is_empty() && kept.entries() == listed.as_slice()).then_some(kept)
    }

    /// The same message as the crate's own type, made as a sender makes it. `metadata` is what
    /// [`sendable_metadata`](Self::sendable_metadata) gave.
    pub(crate) fn message<'a>(&'a self, metadata: &'a QueryMetadata) -> Message<'a> {
        let description = |tag: &'a ByteString, version| DescriptionRef {
            name: tag.as_bytes(),
            version,
        };
        match self {
            Self::Heartbeat => Message::Heartbeat,
            Self::QueryV1(query) => {
                let rpc = description(&query.tag, query.version);
                outgoing(Envelope::V1 { rpc }, query.id, &query.data)
            }
            Self::QueryV2(query) => {
                let envelope = Envelope::V2 {
                    rpc: description(&query.tag, query.version),
                    metadata: query.metadata.0.as_ref().map(ByteString::as_bytes),
                };
                outgoing(envelope, query.id, &query.data)
            }
            Self::QueryV3(query) => {
                let envelope = Envelope::V3 {
                    rpc: description(&query.tag, query.version),
                    metadata: KeyedMetadata::new(metadata),
                };
                outgoing(envelope, query.id, &query.data)
            }
            Self::QueryV4(query) => {
                let specifier = match &query.specifier {
                    NaiveSpecifier::TagAndVersion(tag, version) => {
                        Specifier::Description(description(tag, *version))
                    }
                    NaiveSpecifier::Rank(rank) => Specifier::Rank(*rank),
                };
                let envelope = Envelope::V4 {
                    specifier,
                    metadata: KeyedMetadata::new(metadata),
                };
                outgoing(envelope, query.id, &query.data)
            }
            Self::ResponseV1(response) => answer(ResponseForm::V1, response.id, &response.data),
            Self::ResponseV2(response) => {
                let menu_index = response.impl_menu_index.map(|RpcNat0(index)| index);
                answer(ResponseForm::V2 { menu_index }, response.id, &response.data)
            }
            Self::Metadata(metadata) => Message::Metadata(metadata.clone()),
            Self::MetadataV2(metadata) => Message::MetadataV2(metadata.clone()),
            Self::CloseReason(info) => Message::CloseReason(info.clone()),
            Self::CloseReasonDuplicated(info) => Message::CloseReasonDuplicated(info.clone()),
            Self::CloseStarted => Message::CloseStarted,
            Self::CloseReasonV2(reason) => {
                Message::CloseReasonV2(Box::new(reason.close_reason().to_v2()))
            }
        }
    }
}

impl NaiveCloseReason {
    fn close_reason(&self) -> CloseReason {
        let known = [
            ("Unspecified", CloseReasonKind::Unspecified),
            (
                "Connection_limit_reached",
                CloseReasonKind::ConnectionLimitReached,
            ),
            (
                "Connection_validation_failed",
                CloseReasonKind::ConnectionValidationFailed,
            ),
        ];
        let kind = known
            .into_iter()
            .find(|(name, _)| self.kind == Sexp::atom(*name))
            .map_or_else(
                || CloseReasonKind::Other(rpc_wire::UnknownKind::new(self.kind.clone()).unwrap()),
                |(_, kind)| kind,
            );
        CloseReason {
            kind,
            debug_info: self.debug_info.clone(),
            user_reason: self.user_reason.clone(),
        }
    }
}

fn outgoing<'a>(envelope: Envelope<'a>, id: QueryId, data: &'a [u8]) -> Message<'a> {
    Message::Query(Query {
        header: QueryHeader { envelope, id },
        data: Data::new(data),
    })
}

fn answer(form: ResponseForm, id: QueryId, data: &Result<Vec<u8>, RpcError>) -> Message<'_> {
    Message::Response(Response {
        header: ResponseHeader { form, id },
        result: match data {
            Ok(data) => Ok(Data::new(data)),
            Err(error) => Err(error.clone()),
        },
    })
}
