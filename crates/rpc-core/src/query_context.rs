//! What a query tells beside its payload: which RPC, which id, which metadata, on which
//! connection.

use std::fmt;

use rpc_wire::{DescriptionRef, ProtocolVersion, QueryHeader, QueryId, QueryMetadata};

use crate::implementation::Call;

/// One query, without its payload, as [lifting functions](crate::Implementation::lift) and expert
/// handlers see it (rule C-MD-9).
///
/// Handlers with types get none: what they need of it is lifted into their state, so that a
/// handler says in its types what it depends on.
///
/// ```
/// use rpc_core::{Implementation, Implementations, QueryContext, Rpc};
///
/// static WHO_ASKED: Rpc<(), String> = Rpc::new("who-asked", 1);
///
/// /// What these handlers need to know of a query.
/// struct Asker(String);
///
/// fn asker(_server: &(), context: &QueryContext<'_>) -> Asker {
///     let name = context.metadata(0).unwrap_or(b"nobody");
///     Asker(String::from_utf8_lossy(name).into_owned())
/// }
///
/// let who_asked = Implementation::blocking(&WHO_ASKED, |asker: &Asker, ()| Ok(asker.0.clone()));
/// let implementations = Implementations::builder()
///     .implementation(who_asked.lift(asker))
///     .build()?;
/// # let _ = implementations;
/// # Ok::<(), rpc_core::DuplicateImplementations>(())
/// ```
#[derive(Clone, Copy)]
pub struct QueryContext<'a> {
    call: &'a Call,
    metadata: Metadata<'a>,
}

#[derive(Clone, Copy)]
enum Metadata<'a> {
    /// Still in the frame.
    Received(&'a QueryHeader<'a>),
    Kept(&'a QueryMetadata),
}

impl<'a> QueryContext<'a> {
    pub(crate) fn new(call: &'a Call, header: &'a QueryHeader<'a>) -> Self {
        Self {
            call,
            metadata: Metadata::Received(header),
        }
    }

    pub(crate) fn call(&self) -> &'a Call {
        self.call
    }

    /// Name and version of the RPC, as they were asked for.
    pub fn rpc(&self) -> DescriptionRef<'a> {
        self.call.rpc()
    }

    /// The query's id. The caller chose it; nothing keeps a caller from using one twice.
    pub fn id(&self) -> QueryId {
        self.call.id()
    }

    /// The metadata under `key`. Peers below version 8 know
    /// [key 0](rpc_wire::DEFAULT_KEY) only; at version 1 there is none.
    pub fn metadata(&self, key: i64) -> Option<&'a [u8]> {
        match self.metadata {
            Metadata::Received(header) => header.metadata(key),
            Metadata::Kept(metadata) => metadata.get(key),
        }
    }

    /// All metadata, in the order sent. Of a key that came twice the first payload counts.
    pub fn all_metadata(&self) -> impl Iterator<Item = (i64, &'a [u8])> {
        let (received, kept) = match self.metadata {
            Metadata::Received(header) => (Some(header.all_metadata()), [].as_slice()),
            Metadata::Kept(metadata) => (None, metadata.entries()),
        };
        let kept = kept.iter().map(|(key, payload)| (*key, payload.as_bytes()));
        received.into_iter().flatten().chain(kept)
    }

    /// What a [hook](crate::connection::MetadataHook::on_receive) has made of the metadata.
    pub fn value<T: std::any::Any>(&self) -> Option<&'a T> {
        self.call.values().get()
    }

    /// What the connection is called on this side.
    pub fn connection_description(&self) -> &'a str {
        &self.call.shared().description
    }

    /// The negotiated version of the wire protocol.
    pub fn version(&self) -> ProtocolVersion {
        self.call.shared().version
    }

    /// The bytes by which the peer introduced itself, if it did.
    pub fn peer_identification(&self) -> Option<&'a [u8]> {
        self.call.shared().peer.identification.as_deref()
    }

    /// The context for when the frame is gone.
    pub(crate) fn keep(&self) -> KeptContext {
        KeptContext {
            call: self.call.clone(),
            metadata: self.all_metadata().collect(),
        }
    }
}

impl fmt::Debug for QueryContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryContext")
            .field("rpc", &self.rpc().to_string())
            .field("id", &self.id())
            .field("metadata", &self.all_metadata().collect::<QueryMetadata>())
            .field("connection", &self.connection_description())
            .finish()
    }
}

/// A [`QueryContext`] that owns what it tells: for what happens after the first await.
pub(crate) struct KeptContext {
    call: Call,
    metadata: QueryMetadata,
}

impl KeptContext {
    pub(crate) fn borrow(&self) -> QueryContext<'_> {
        QueryContext {
            call: &self.call,
            metadata: Metadata::Kept(&self.metadata),
        }
    }
}
