//! Plain RPCs, the caller's side.

use std::fmt;
use std::sync::Arc;

use rpc_core::{Connection, DispatchError, MappedDispatch, payload::Codec};

use crate::builder::Builder;
use crate::connection_with_menu::ConnectionWithMenu;
use crate::conversion::{Conversion, Convert, Kept, Unconvertible, Version};
use crate::converts::{Converts, sealed};
use crate::error::CallError;
use crate::family::{Family, Naming};
use crate::registered::Registered;

/// A plain RPC from `Q` to `R`, dispatched as whichever version of it the callee has. Cheap to
/// clone.
///
/// # Examples
///
/// ```
/// use bin_prot::BinProt;
/// use rpc_core::Rpc;
/// use rpc_versioned::convert::{into, try_into};
/// use rpc_versioned::{CallError, ConnectionWithMenu, caller_converts};
///
/// /// What version 2 is asked, and what this program thinks in.
/// #[derive(Clone, Debug, BinProt)]
/// struct Query { symbol: String, currency: String }
///
/// static PRICE_1: Rpc<String, i64> = Rpc::new("price", 1);
/// static PRICE_2: Rpc<Query, i32> = Rpc::new("price", 2);
///
/// // Built once, and kept by whoever asks.
/// let price = caller_converts::Rpc::<Query, i32>::builder("price")
///     .version(&PRICE_1, |query| Ok(query.symbol), try_into)
///     .version_from(&PRICE_2)
///     .build()?;
///
/// async fn ask(
///     price: &caller_converts::Rpc<Query, i32>,
///     connection: &ConnectionWithMenu,
/// ) -> Result<i32, CallError> {
///     let query = Query { symbol: "ABC".into(), currency: "USD".into() };
///     price.dispatch(connection, query).await
/// }
/// # let _ = (price, ask);
/// # Ok::<(), rpc_versioned::RegistrationError>(())
/// ```
pub struct Rpc<Q, R> {
    family: Family<Operation<Q, R>>,
}

type Operation<Q, R> = Arc<dyn Fn(&Connection, Q) -> Calling<R> + Send + Sync>;

/// A call that is under way, in whichever version.
type Calling<R> = MappedDispatch<Result<R, CallError>>;

impl<Q: 'static, R: Send + 'static> Rpc<Q, R> {
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

    /// Sends one query, of the version that is selected; the result waits for its response.
    ///
    /// As with [`rpc_core::Rpc::dispatch`], the query is in the output buffer when this returns.
    /// It is taken by value, so that a conversion can use its parts. The response is converted
    /// by whoever awaits it.
    ///
    /// # Cancel safety
    /// Dropping the result forgets the response. The query has been sent all the same.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn dispatch(
        &self,
        connection: &ConnectionWithMenu,
        query: Q,
    ) -> impl Future<Output = Result<R, CallError>> + Send + use<Q, R> {
        match self.family.select(connection.shared_menu()) {
            Ok((_, dispatch)) => dispatch(connection.connection(), query),
            Err(error) => failed(connection.connection(), error),
        }
    }

    /// The same RPC for a program that thinks of queries as `P`. A failure is told as that of
    /// [the query](Conversion::Query).
    #[must_use]
    pub fn map_query<P: 'static>(&self, query: impl Convert<P, Q>) -> Rpc<P, R> {
        let query = Arc::new(query);
        let family = self.family.map(|version, dispatch| {
            let (query, dispatch) = (query.clone(), dispatch.clone());
            let operation: Operation<P, R> = Arc::new(move |connection, value| {
                match version.run(Conversion::Query, || query(value)) {
                    Ok(value) => dispatch(connection, value),
                    Err(error) => failed(connection, error),
                }
            });
            operation
        });
        Rpc { family }
    }

    /// The same RPC for a program that thinks of responses as `P`.
    #[must_use]
    pub fn map_response<P: Send + 'static>(&self, response: impl Convert<R, P>) -> Rpc<Q, P> {
        let response = Arc::new(response);
        let family = self.family.map(|version, dispatch| {
            let (response, dispatch) = (response.clone(), dispatch.clone());
            let operation: Operation<Q, P> = Arc::new(move |connection, query| {
                let response = response.clone();
                dispatch(connection, query).map(move |answer| {
                    let value = answer?;
                    Ok(version.run(Conversion::Response, || response(value))?)
                })
            });
            operation
        });
        Rpc { family }
    }
}

/// Versions of a plain RPC: how the query becomes theirs, and their response becomes ours.
impl<Q: 'static, R: Send + 'static> Builder<Rpc<Q, R>> {
    /// Adds a version. If the query cannot be converted, nothing is sent (rule V-CA-1).
    pub fn version<Q1, R1, C>(
        self,
        rpc: &rpc_core::Rpc<Q1, R1, C>,
        query: impl Convert<Q, Q1>,
        response: impl Convert<R1, R>,
    ) -> Self
    where
        Q1: 'static,
        R1: Send + 'static,
        C: Codec<Q1> + Codec<R1>,
    {
        let operation = operation(rpc, query, response);
        self.with(Registered::plain(rpc), operation)
    }

    /// Adds a version with the conversions that [`From`] has.
    pub fn version_from<Q1, R1, C>(self, rpc: &rpc_core::Rpc<Q1, R1, C>) -> Self
    where
        Q1: From<Q> + 'static,
        R1: Send + 'static,
        R: From<R1>,
        C: Codec<Q1> + Codec<R1>,
    {
        self.version(
            rpc,
            |query| Ok(query.into()),
            |response| Ok(response.into()),
        )
    }

    /// Adds a version whose response can be understood only together with the query: the second
    /// form of §5.
    pub fn version_with_query<Q1, R1, C>(
        self,
        rpc: &rpc_core::Rpc<Q1, R1, C>,
        query: impl Fn(&Q) -> Result<Q1, Unconvertible> + Send + Sync + 'static,
        response: impl Fn(&Q, R1) -> Result<R, Unconvertible> + Send + Sync + 'static,
    ) -> Self
    where
        Q: Send + Sync,
        Q1: 'static,
        R1: Send + 'static,
        C: Codec<Q1> + Codec<R1>,
    {
        let operation = operation_with_query(rpc, query, response);
        self.with(Registered::plain(rpc), operation)
    }
}

pub(crate) fn operation<Q, R, Q1, R1, C>(
    rpc: &rpc_core::Rpc<Q1, R1, C>,
    query: impl Convert<Q, Q1>,
    response: impl Convert<R1, R>,
) -> Operation<Q, R>
where
    R: Send + 'static,
    Q1: 'static,
    R1: Send + 'static,
    C: Codec<Q1> + Codec<R1>,
{
    let version = Registered::plain(rpc).named();
    let (rpc, response) = (*rpc, Kept::new(response));
    Arc::new(move |connection, value| {
        let value = match version.run(Conversion::Query, || query(value)) {
            Ok(value) => value,
            Err(error) => return failed(connection, error),
        };
        let response = response.clone();
        rpc.dispatch_map(connection, &value, move |answer| {
            answered(version, answer, &*response)
        })
    })
}

pub(crate) fn operation_with_query<Q, R, Q1, R1, C>(
    rpc: &rpc_core::Rpc<Q1, R1, C>,
    query: impl Fn(&Q) -> Result<Q1, Unconvertible> + Send + Sync + 'static,
    response: impl Fn(&Q, R1) -> Result<R, Unconvertible> + Send + Sync + 'static,
) -> Operation<Q, R>
where
    Q: Send + Sync + 'static,
    R: Send + 'static,
    Q1: 'static,
    R1: Send + 'static,
    C: Codec<Q1> + Codec<R1>,
{
    let version = Registered::plain(rpc).named();
    let (rpc, response) = (*rpc, Arc::new(response));
    Arc::new(move |connection, model| {
        let value = match version.run(Conversion::Query, || query(&model)) {
            Ok(value) => value,
            Err(error) => return failed(connection, error),
        };
        let response = response.clone();
        rpc.dispatch_map(connection, &value, move |answer| {
            answered(version, answer, |value| response(&model, value))
        })
    })
}

/// A call that failed before anything was sent.
#[cold]
fn failed<R: Send + 'static>(connection: &Connection, error: impl Into<CallError>) -> Calling<R> {
    MappedDispatch::ready(connection, Err(error.into()))
}

/// What came back, as the caller is told of it.
#[inline]
fn answered<R, R1>(
    version: Version,
    answer: Result<R1, DispatchError>,
    convert: impl FnOnce(R1) -> Result<R, Unconvertible>,
) -> Result<R, CallError> {
    let value = answer.map_err(|error| CallError::dispatch(version, error))?;
    Ok(version.run(Conversion::Response, || convert(value))?)
}

impl<Q, R> Converts for Rpc<Q, R> {}

impl<Q, R> sealed::Sealed for Rpc<Q, R> {
    type Operation = Operation<Q, R>;

    fn from_family(family: Family<Self::Operation>) -> Self {
        Self { family }
    }

    fn family(&self) -> &Family<Self::Operation> {
        &self.family
    }
}

impl<Q, R> Clone for Rpc<Q, R> {
    fn clone(&self) -> Self {
        Self {
            family: self.family.clone(),
        }
    }
}

impl<Q, R> fmt::Debug for Rpc<Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family.fmt("Rpc", f)
    }
}
