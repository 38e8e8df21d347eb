//! Plain RPCs, the callee's side.

use std::fmt;
use std::sync::Arc;

use rpc_core::payload::Codec;
use rpc_core::{HandlerError, Implementation, SharedHandler};

use super::first_query::OnNewVersion;
use super::{Implement, implement_each};
use crate::builder::Builder;
use crate::conversion::{Conversion, ConversionError, Convert};
use crate::converts::{Converts, sealed};
use crate::family::{Family, Naming};
use crate::registered::Registered;

/// A plain RPC from `Q` to `R` that is answered in several versions, on connections whose state is
/// `S`. Cheap to clone.
///
/// # Examples
///
/// ```
/// use bin_prot::BinProt;
/// use rpc_core::{Implementations, Rpc};
/// use rpc_versioned::callee_converts;
///
/// /// What version 2 is asked.
/// #[derive(Clone, Debug, BinProt)]
/// struct Query { symbol: String, currency: String }
///
/// static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
/// static PRICE_2: Rpc<Query, i64> = Rpc::new("price", 2);
///
/// let price = callee_converts::Rpc::builder("price")
///     .version(&PRICE_1, |symbol| Ok(Query { symbol, currency: "USD".into() }), Ok)
///     .version_from(&PRICE_2)
///     .build()?
///     .on_new_version(|rpc| println!("somebody still uses {rpc:?}"));
/// let table = Implementations::<()>::builder()
///     .implementations(price.implement(|_, _version, query: Query| async move {
///         Ok(query.symbol.len() as i64)
///     }))
///     .build()?;
/// assert_eq!(table.descriptions().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rpc<S, Q, R> {
    family: Family<Operation<S, Q, R>>,
    on_new_version: Option<OnNewVersion>,
}

type Operation<S, Q, R> = Implement<S, Handler<S, Q, R>>;

/// The function that answers, apart from its type.
#[expect(
    unnameable_types,
    reason = "part of a sealed trait, so that it can change"
)]
pub enum Handler<S, Q, R> {
    Deferred(SharedHandler<S, Q, R>),
    Blocking(Arc<dyn Fn(&S, i64, Q) -> Result<R, HandlerError> + Send + Sync>),
}

impl<S, Q, R> fmt::Debug for Handler<S, Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deferred(_) => "Deferred",
            Self::Blocking(_) => "Blocking",
        })
    }
}

impl<S, Q, R> Clone for Handler<S, Q, R> {
    fn clone(&self) -> Self {
        match self {
            Self::Deferred(handler) => Self::Deferred(handler.clone()),
            Self::Blocking(handler) => Self::Blocking(handler.clone()),
        }
    }
}

impl<S: Send + 'static, Q: Send + 'static, R: Send + 'static> Rpc<S, Q, R> {
    /// Starts a family of versions, all of this name.
    pub fn builder(name: &'static str) -> Builder<Self> {
        Builder::new(Naming::One(name))
    }

    /// Whom to tell when the first query of a version comes: for each version once, of all
    /// connections together, from each of the following calls of [`implement`](Self::implement)
    /// (rule V-CE-2). It is called before the query is converted. If it panics, that is logged.
    #[must_use]
    pub fn on_new_version(mut self, tell: impl Fn(&Registered) + Send + Sync + 'static) -> Self {
        self.on_new_version = Some(Arc::new(tell));
        self
    }

    /// One implementation of each version, by a function of the state, the version that is served,
    /// and the query (rule V-CE-1): as [`Implementation::plain`].
    pub fn implement<F, Fut>(&self, handler: F) -> Vec<Implementation<S>>
    where
        F: Fn(&S, i64, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        self.implement_by(&Handler::Deferred(SharedHandler::new(handler)))
    }

    /// The same by a function that does not suspend: as [`Implementation::blocking`].
    pub fn implement_blocking<F>(&self, handler: F) -> Vec<Implementation<S>>
    where
        F: Fn(&S, i64, Q) -> Result<R, HandlerError> + Send + Sync + 'static,
    {
        self.implement_by(&Handler::Blocking(Arc::new(handler)))
    }

    fn implement_by(&self, handler: &Handler<S, Q, R>) -> Vec<Implementation<S>> {
        let on_new_version = self.on_new_version.as_ref();
        implement_each(&self.family, on_new_version, handler, |implement| implement)
    }
}

/// Versions of a plain RPC: how their query becomes ours, and our response becomes theirs.
impl<S: Send + 'static, Q: Send + 'static, R: Send + 'static> Builder<Rpc<S, Q, R>> {
    /// Adds a version. A conversion that fails is *Uncaught_exn* for the caller (rule V-CE-3).
    pub fn version<Q1, R1, C>(
        self,
        rpc: &rpc_core::Rpc<Q1, R1, C>,
        query: impl Convert<Q1, Q>,
        response: impl Convert<R, R1>,
    ) -> Self
    where
        Q1: Send + 'static,
        R1: Send + 'static,
        C: Codec<Q1> + Codec<R1>,
    {
        let operation = operation(rpc, query, response, raised);
        self.with(Registered::plain(rpc), operation)
    }

    /// Adds a version with the conversions that [`From`] has.
    pub fn version_from<Q1, R1, C>(self, rpc: &rpc_core::Rpc<Q1, R1, C>) -> Self
    where
        Q1: Send + 'static,
        R1: From<R> + Send + 'static,
        Q: From<Q1>,
        C: Codec<Q1> + Codec<R1>,
    {
        self.version(
            rpc,
            |query| Ok(query.into()),
            |response| Ok(response.into()),
        )
    }

    /// Adds a version whose callers expect to be told of what has no counterpart: the text of a
    /// conversion's failure is their response (rule V-CE-10). A handler's own failure remains one.
    pub fn version_with_failure<Q1, R1, C>(
        self,
        rpc: &rpc_core::Rpc<Q1, Result<R1, String>, C>,
        query: impl Convert<Q1, Q>,
        response: impl Convert<R, R1>,
    ) -> Self
    where
        Q1: Send + 'static,
        R1: Send + 'static,
        C: Codec<Q1> + Codec<Result<R1, String>>,
    {
        let response = move |value| Ok(Ok(response(value)?));
        let operation = operation(rpc, query, response, told);
        self.with(Registered::plain(rpc), operation)
    }
}

/// What a conversion that failed is for the caller: *Uncaught_exn*.
pub(crate) fn raised<R1>(error: ConversionError) -> Result<R1, HandlerError> {
    Err(error.raise())
}

/// The same for a caller that expects to be told.
pub(crate) fn told<R1>(error: ConversionError) -> Result<Result<R1, String>, HandlerError> {
    Ok(Err(error.cause().to_string()))
}

/// `failed` answers when a conversion has failed.
pub(crate) fn operation<S, Q, R, Q1, R1, C>(
    rpc: &rpc_core::Rpc<Q1, R1, C>,
    query: impl Convert<Q1, Q>,
    response: impl Convert<R, R1>,
    failed: fn(ConversionError) -> Result<R1, HandlerError>,
) -> Operation<S, Q, R>
where
    S: Send + 'static,
    Q: Send + 'static,
    R: Send + 'static,
    Q1: Send + 'static,
    R1: Send + 'static,
    C: Codec<Q1> + Codec<R1>,
{
    let version = Registered::plain(rpc).named();
    let (rpc, query, response) = (*rpc, Arc::new(query), Arc::new(response));
    Arc::new(move |handler, first| {
        let (query, response) = (query.clone(), response.clone());
        let to_model = move |value| version.run(Conversion::Query, || query(value));
        let of_model = move |value| version.run(Conversion::Response, || response(value));
        match handler {
            Handler::Deferred(handler) => Implementation::mapped(
                &rpc,
                &handler,
                move |value| {
                    first.note();
                    to_model(value).map_err(failed)
                },
                move |response| of_model(response?).or_else(failed),
            ),
            Handler::Blocking(handler) => Implementation::blocking(&rpc, move |state, value| {
                first.note();
                match to_model(value) {
                    Ok(query) => of_model(handler(state, version.number, query)?).or_else(failed),
                    Err(error) => failed(error),
                }
            }),
        }
    })
}

impl<S, Q, R> Converts for Rpc<S, Q, R> {}

impl<S, Q, R> sealed::Sealed for Rpc<S, Q, R> {
    type Operation = Operation<S, Q, R>;

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

impl<S, Q, R> Clone for Rpc<S, Q, R> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
            on_new_version: self.on_new_version.clone(),
        }
    }
}

impl<S, Q, R> fmt::Debug for Rpc<S, Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("Rpc", f)
    }
}
