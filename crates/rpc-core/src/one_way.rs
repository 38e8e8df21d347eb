//! One-way RPCs: a message, and no answer.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

use rpc_wire::{Description, DescriptionRef, RpcDigests, RpcShapes};

use crate::payload::{BinProt, Codec};
use crate::rpc;
use crate::shapes;
use crate::{Connection, DispatchAllError, DispatchError};

/// A one-way RPC whose messages are of type `Q`, encoded by `C`.
pub struct OneWay<Q, C = BinProt> {
    name: &'static str,
    version: i64,
    types: PhantomData<fn(Q, C)>,
}

impl<Q, C> OneWay<Q, C> {
    /// Version `version` of the RPC called `name`.
    pub const fn new(name: &'static str, version: i64) -> Self {
        Self {
            name,
            version,
            types: PhantomData,
        }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The version.
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Name and version.
    pub fn description(&self) -> Description {
        Description::new(self.name, self.version)
    }
}

impl<Q, C: Codec<Q>> OneWay<Q, C> {
    /// The structure of the type. Computed anew each time.
    pub fn shapes(&self) -> RpcShapes {
        shapes::one_way::<Q, C>()
    }

    /// The digest of the type, as menus carry it. Computed anew each time.
    pub fn digests(&self) -> RpcDigests {
        rpc::one_way_digests::<Q, C>()
    }

    /// Sends a message. It is in the output buffer when this returns; that is all that success
    /// means (rule R-OW-20).
    ///
    /// A callee that does not implement the RPC answers nevertheless, since it cannot know that
    /// nobody waits; this side then closes the connection (rule R-UN-4).
    ///
    /// # Errors
    /// The connection is closed, or the message cannot be encoded or is too large.
    pub fn dispatch(&self, connection: &Connection, message: &Q) -> Result<(), DispatchError> {
        let rpc = DescriptionRef {
            name: self.name.as_bytes(),
            version: self.version,
        };
        connection
            .shared()
            .send_one_way(connection.asking(&rpc), C::size(message), |buffer| {
                C::write(message, buffer)
            })
    }

    /// Sends messages one behind the other, for a fraction of what it costs to
    /// [dispatch](Self::dispatch) each of them. When this returns, they are in the output buffer.
    ///
    /// Up to 64 messages, or 16 KiB of them, are taken from the iterator before the first of them is
    /// sent. So an iterator that waits holds back what it has yielded just before, and what is sent
    /// meanwhile, even by the iterator itself, overtakes that. Apart from this, everything is as if
    /// each message were dispatched alone: [hooks](crate::connection::MetadataHook) and
    /// [listeners](Connection::subscribe) are called for each of them, at the cost of dispatching it.
    ///
    /// The messages are borrowed and encoded where the output is collected, as with
    /// [`dispatch`](Self::dispatch): an implementation of `Borrow` or [`Codec`] computes, and does
    /// nothing else.
    ///
    /// ```
    /// use rpc_core::{Connection, DispatchAllError, OneWay};
    ///
    /// static NOTE: OneWay<String> = OneWay::new("note", 1);
    ///
    /// /// Waits for room whenever the peer does not read as fast as this sends.
    /// async fn note(connection: &Connection, mut lines: &[String]) -> Result<(), DispatchAllError> {
    ///     while let Err(unsent) = NOTE.dispatch_all(connection, lines) {
    ///         if !matches!(unsent.error, rpc_core::DispatchError::OutputFull { .. }) {
    ///             return Err(unsent);
    ///         }
    ///         lines = &lines[unsent.sent..];
    ///         connection.flushed().await;
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = note;
    /// ```
    ///
    /// # Errors
    /// A message could not be sent, for a reason that [`dispatch`](Self::dispatch) has. The error says
    /// how many were sent before it; those behind it are not, even if the iterator has yielded them.
    ///
    /// # Panics
    /// As soon as the iterator or the encoding of a message does. The messages before that one have
    /// been sent.
    pub fn dispatch_all<M: Borrow<Q>>(
        &self,
        connection: &Connection,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<(), DispatchAllError> {
        let rpc = DescriptionRef {
            name: self.name.as_bytes(),
            version: self.version,
        };
        let messages = messages.into_iter();
        connection
            .shared()
            .send_all_one_way::<Q, C, M>(connection.asking(&rpc), messages)
    }
}

impl<Q, C> Clone for OneWay<Q, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q, C> Copy for OneWay<Q, C> {}

impl<Q, C> fmt::Debug for OneWay<Q, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneWay({} version {})", self.name, self.version)
    }
}
