//! One-way RPCs, the callee's side.

use std::fmt;
use std::sync::Arc;

use rpc_core::payload::Codec;
use rpc_core::{HandlerError, Implementation, OnException};

use super::first_query::OnNewVersion;
use super::{Implement, Running, implement_each};
use crate::builder::Builder;
use crate::conversion::{Conversion, ConversionError, Convert};
use crate::converts::{Converts, sealed};
use crate::family::{Family, Naming};
use crate::registered::Registered;

/// A one-way RPC whose messages are of type `Q` and come in several versions, on connections whose
/// state is `S`. Cheap to clone.
pub struct OneWay<S, Q> {
    family: Family<Operation<S, Q>>,
    on_new_version: Option<OnNewVersion>,
}

type Operation<S, Q> = Implement<S, Handler<S, Q>>;

/// The function that takes the messages, apart from its type.
type Handler<S, Q> = Arc<dyn Fn(&S, i64, Q) -> Running<()> + Send + Sync>;

impl<S: Send + 'static, Q: Send + 'static> OneWay<S, Q> {
    /// Starts a family of versions, all of this name.
    pub fn builder(name: &'static str) -> Builder<Self> {
        Builder::new(Naming::One(name))
    }

    /// Whom to tell when the first message of a version comes: see
    /// [`Rpc::on_new_version`](super::Rpc::on_new_version).
    #[must_use]
    pub fn on_new_version(mut self, tell: impl Fn(&Registered) + Send + Sync + 'static) -> Self {
        self.on_new_version = Some(Arc::new(tell));
        self
    }

    /// One implementation of each version, by a function of the state, the version that came, and
    /// the message: as [`Implementation::one_way`].
    ///
    /// Nobody could be told of a conversion that fails, so it closes the connection, as any failure
    /// of the handler does (rule V-CE-5), unless the implementation is given [another
    /// policy](Implementation::on_exception).
    pub fn implement<F, Fut>(&self, handler: F) -> Vec<Implementation<S>>
    where
        F: Fn(&S, i64, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        let handler: Handler<S, Q> =
            Arc::new(move |state, version, message| Box::pin(handler(state, version, message)));
        let on_new_version = self.on_new_version.as_ref();
        implement_each(&self.family, on_new_version, &handler, |implement| {
            implement
        })
    }
}

/// Versions of a one-way RPC: how their message becomes ours.
impl<S: Send + 'static, Q: Send + 'static> Builder<OneWay<S, Q>> {
    /// Adds a version.
    pub fn version<Q1, C>(self, rpc: &rpc_core::OneWay<Q1, C>, message: impl Convert<Q1, Q>) -> Self
    where
        Q1: Send + 'static,
        C: Codec<Q1>,
    {
        let operation = operation(rpc, message);
        self.with(Registered::one_way(rpc), operation)
    }

    /// Adds a version with the conversion that [`From`] has.
    pub fn version_from<Q1, C>(self, rpc: &rpc_core::OneWay<Q1, C>) -> Self
    where
        Q1: Send + 'static,
        Q: From<Q1>,
        C: Codec<Q1>,
    {
        self.version(rpc, |message| Ok(message.into()))
    }
}

pub(crate) fn operation<S, Q, Q1, C>(
    rpc: &rpc_core::OneWay<Q1, C>,
    message: impl Convert<Q1, Q>,
) -> Operation<S, Q>
where
    S: Send + 'static,
    Q: Send + 'static,
    Q1: Send + 'static,
    C: Codec<Q1>,
{
    let version = Registered::one_way(rpc).named();
    let (rpc, message) = (*rpc, Arc::new(message));
    Arc::new(move |handler, first| {
        let message = message.clone();
        let implementation = Implementation::one_way(&rpc, move |state, value| {
            first.note();
            let running = version
                .run(Conversion::Msg, || message(value))
                .map(|message| handler(state, version.number, message));
            async move { running.map_err(ConversionError::raise)?.await }
        });
        implementation.on_exception(OnException::CloseConnection)
    })
}

impl<S, Q> Converts for OneWay<S, Q> {}

impl<S, Q> sealed::Sealed for OneWay<S, Q> {
    type Operation = Operation<S, Q>;

    fn from_family(family: Family<Self::Operation>) -> Self {
        Self {
            family,
            on_new_version: None,
        }
    }

    fn family(&self) -> &Family<Self::Operation> {
        &self.family
    }
}

impl<S, Q> Clone for OneWay<S, Q> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
            on_new_version: self.on_new_version.clone(),
        }
    }
}

impl<S, Q> fmt::Debug for OneWay<S, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("OneWay", f)
    }
}
