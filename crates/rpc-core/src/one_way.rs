//! One-way RPCs: a message, and no answer.

use std::fmt;
use std::marker::PhantomData;

use rpc_wire::{Description, DescriptionRef, RpcDigests, RpcShapes};

use crate::payload::{BinProt, Codec};
use crate::rpc;
use crate::shapes;
use crate::{Connection, DispatchError};

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
