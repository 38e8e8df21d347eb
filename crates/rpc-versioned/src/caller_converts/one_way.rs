//! One-way RPCs, the caller's side.

use std::fmt;
use std::sync::Arc;

use rpc_core::{Connection, payload::Codec};

use crate::builder::Builder;
use crate::connection_with_menu::ConnectionWithMenu;
use crate::conversion::{Conversion, Convert};
use crate::converts::{Converts, sealed};
use crate::error::CallError;
use crate::family::{Family, Naming};
use crate::registered::Registered;

/// A one-way RPC whose messages are of type `Q`, sent as whichever version of it the callee has.
/// Cheap to clone.
pub struct OneWay<Q> {
    family: Family<Operation<Q>>,
}

type Operation<Q> = Arc<dyn Fn(&Connection, Q) -> Result<(), CallError> + Send + Sync>;

impl<Q: 'static> OneWay<Q> {
    /// Starts a family of versions, all of this name, of which the highest is used
    /// (rule V-SE-1).
    pub fn builder(name: &'static str) -> Builder<Self> {
        Builder::new(Naming::One(name))
    }

    /// Starts a list of RPCs that may have different names, of which the first is used that the
    /// callee has (rule V-BA-2).
    pub fn by_preference() -> Builder<Self> {
        Builder::new(Naming::Preference)
    }

    /// Sends a message, of the version that is selected. It is in the output buffer when this
    /// returns; that is all that success means.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn dispatch(&self, connection: &ConnectionWithMenu, message: Q) -> Result<(), CallError> {
        let (_, dispatch) = self.family.select(connection.shared_menu())?;
        dispatch(connection.connection(), message)
    }

    /// The same RPC for a program that thinks of messages as `P`.
    #[must_use]
    pub fn map_query<P: 'static>(&self, message: impl Convert<P, Q>) -> OneWay<P> {
        let message = Arc::new(message);
        let family = self.family.map(|version, dispatch| {
            let (message, dispatch) = (message.clone(), dispatch.clone());
            let operation: Operation<P> = Arc::new(move |connection, value| {
                let value = version.run(Conversion::Msg, || message(value))?;
                dispatch(connection, value)
            });
            operation
        });
        OneWay { family }
    }
}

/// Versions of a one-way RPC: how the message becomes theirs.
impl<Q: 'static> Builder<OneWay<Q>> {
    /// Adds a version. If the message cannot be converted, nothing is sent (rule V-CA-1).
    pub fn version<Q1, C>(self, rpc: &rpc_core::OneWay<Q1, C>, message: impl Convert<Q, Q1>) -> Self
    where
        Q1: 'static,
        C: Codec<Q1>,
    {
        let operation = operation(rpc, message);
        self.with(Registered::one_way(rpc), operation)
    }

    /// Adds a version with the conversion that [`From`] has.
    pub fn version_from<Q1, C>(self, rpc: &rpc_core::OneWay<Q1, C>) -> Self
    where
        Q1: From<Q> + 'static,
        C: Codec<Q1>,
    {
        self.version(rpc, |message| Ok(message.into()))
    }
}

pub(crate) fn operation<Q, Q1, C>(
    rpc: &rpc_core::OneWay<Q1, C>,
    message: impl Convert<Q, Q1>,
) -> Operation<Q>
where
    Q1: 'static,
    C: Codec<Q1>,
{
    let version = Registered::one_way(rpc).named();
    let rpc = *rpc;
    Arc::new(move |connection, value| {
        let value = version.run(Conversion::Msg, || message(value))?;
        let sent = rpc.dispatch(connection, &value);
        sent.map_err(|error| CallError::dispatch(version, error))
    })
}

impl<Q> Converts for OneWay<Q> {}

impl<Q> sealed::Sealed for OneWay<Q> {
    type Operation = Operation<Q>;

    fn from_family(family: Family<Self::Operation>) -> Self {
        Self { family }
    }

    fn family(&self) -> &Family<Self::Operation> {
        &self.family
    }
}

impl<Q> Clone for OneWay<Q> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
        }
    }
}

impl<Q> fmt::Debug for OneWay<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("OneWay", f)
    }
}
