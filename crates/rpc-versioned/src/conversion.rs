//! One conversion between a version's type and the model's: how it fails, and that its failure
//! stays what it is, the failure of one value.
//!
//! Knows nothing of connections and RPC kinds.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bin_prot::{ByteString, Sexp};
use rpc_core::HandlerError;
use rpc_wire::Description;

/// What converts an `A` into a `B`: a closure whose captures can be cloned, or [`into`] and
/// [`try_into`].
///
/// It computes, and does nothing else: it may run where messages are read, and holds them up
/// meanwhile. One that panics has failed, as if it had returned an error.
pub trait Convert<A, B>: Fn(A) -> Result<B, Unconvertible> + Clone + Send + Sync + 'static {}

impl<A, B, F> Convert<A, B> for F where
    F: Fn(A) -> Result<B, Unconvertible> + Clone + Send + Sync + 'static
{
}

/// A conversion that each call keeps for itself: copied if it captures next to nothing, and nothing
/// that owns anything, as most do; shared otherwise.
#[derive(Clone)]
pub(crate) enum Kept<F> {
    Copied(F),
    Shared(Arc<F>),
}

impl<F> Kept<F> {
    pub(crate) fn new(convert: F) -> Self {
        if size_of::<F>() <= size_of::<usize>() && !std::mem::needs_drop::<F>() {
            Self::Copied(convert)
        } else {
            Self::Shared(Arc::new(convert))
        }
    }
}

impl<F> Deref for Kept<F> {
    type Target = F;

    fn deref(&self) -> &F {
        match self {
            Self::Copied(convert) => convert,
            Self::Shared(convert) => convert,
        }
    }
}

/// The conversion that [`Into`] has.
///
/// # Errors
/// None.
pub fn into<A: Into<B>, B>(value: A) -> Result<B, Unconvertible> {
    Ok(value.into())
}

/// The conversion that [`TryInto`] has.
///
/// # Errors
/// Those of [`TryInto`].
pub fn try_into<A, B>(value: A) -> Result<B, Unconvertible>
where
    A: TryInto<B, Error: Error + Send + Sync + 'static>,
{
    Ok(value.try_into()?)
}

/// Why a value of one version has no counterpart in the other.
///
/// Any error converts into it, so `?` works in conversions; it is the
/// [source](Error::source) of the [`ConversionError`] then.
///
/// ```
/// use rpc_versioned::convert::Unconvertible;
///
/// fn cents(price: i64) -> Result<u32, Unconvertible> {
///     if price == i64::MAX {
///         return Err(Unconvertible::new("no price"));
///     }
///     Ok(u32::try_from(price)?)
/// }
/// # assert!(cents(-1).is_err());
/// ```
#[derive(Clone)]
pub struct Unconvertible(Cause);

#[derive(Clone)]
enum Cause {
    Text(Arc<str>),
    Error(Arc<dyn Error + Send + Sync>),
}

impl Unconvertible {
    /// A failure with this text.
    pub fn new(text: impl fmt::Display) -> Self {
        Self(Cause::Text(text.to_string().into()))
    }

    pub(crate) fn from_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::new(text.unwrap_or("conversion panicked"))
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Unconvertible {
    fn from(error: E) -> Self {
        Self(Cause::Error(Arc::new(error)))
    }
}

/// The error with its causes, in one line.
impl fmt::Display for Unconvertible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = match &self.0 {
            Cause::Text(text) => return f.write_str(text),
            Cause::Error(error) => error,
        };
        error.fmt(f)?;
        let mut cause = error.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Unconvertible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Text(text) => f.debug_tuple("Unconvertible").field(text).finish(),
            Cause::Error(error) => f.debug_tuple("Unconvertible").field(error).finish(),
        }
    }
}

/// Which value of a call is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conversion {
    /// A one-way message.
    Msg,
    /// A query.
    Query,
    /// The response of a plain RPC, or an update of a pipe RPC.
    Response,
    /// The callee's own error of a pipe or state RPC.
    Error,
    /// The initial state of a state RPC.
    State,
    /// An update of a state RPC.
    Update,
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Msg => "Msg",
            Self::Query => "Query",
            Self::Response => "Response",
            Self::Error => "Error",
            Self::State => "State",
            Self::Update => "Update",
        })
    }
}

/// A conversion failed, or panicked: which one, and why (rule V-CF-1).
///
/// ```text
/// ("type conversion failure" (Query (Rpc price) (Version 1) (Failure "no currency")))
/// ```
#[derive(Clone)]
pub struct ConversionError(Box<Failure>);

/// In a box, so that results whose errors are rare are hardly larger than their values.
#[derive(Clone)]
struct Failure {
    conversion: Conversion,
    version: Version,
    cause: Unconvertible,
}

impl ConversionError {
    #[cold]
    pub(crate) fn new(conversion: Conversion, version: Version, cause: Unconvertible) -> Self {
        Self(Box::new(Failure {
            conversion,
            version,
            cause,
        }))
    }

    /// Which value could not be converted.
    pub const fn conversion(&self) -> Conversion {
        self.0.conversion
    }

    /// The version that was converted from or to.
    pub fn rpc(&self) -> Description {
        self.0.version.description()
    }

    /// Why.
    pub const fn cause(&self) -> &Unconvertible {
        &self.0.cause
    }

    /// The error as the reference prints it.
    pub fn to_sexp(&self) -> Sexp {
        let tagged = |tag, value: &str| Sexp::list([Sexp::atom(tag), Sexp::atom(value)]);
        let cause = ByteString::from(self.0.cause.to_string());
        Sexp::list([
            Sexp::atom("type conversion failure"),
            Sexp::list([
                Sexp::atom(self.0.conversion.to_string()),
                tagged("Rpc", self.0.version.name),
                tagged("Version", &self.0.version.number.to_string()),
                Sexp::list([Sexp::atom("Failure"), Sexp::atom(cause)]),
            ]),
        ])
    }

    /// What a handler raises whose conversion failed (rule V-CE-3).
    pub(crate) fn raise(self) -> HandlerError {
        HandlerError::from_sexp(self.to_sexp())
    }
}

impl fmt::Debug for ConversionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConversionError")
            .field("conversion", &self.0.conversion)
            .field("version", &self.0.version)
            .field("cause", &self.0.cause)
            .finish()
    }
}

impl fmt::Display for ConversionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_sexp().fmt(f)
    }
}

impl Error for ConversionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.cause.0 {
            Cause::Text(_) => None,
            Cause::Error(error) => Some(&**error),
        }
    }
}

/// Name and version, to be carried along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) name: &'static str,
    pub(crate) number: i64,
}

impl Version {
    pub(crate) const fn new(name: &'static str, number: i64) -> Self {
        Self { name, number }
    }

    pub(crate) fn description(self) -> Description {
        Description::new(self.name, self.number)
    }

    /// Runs a conversion. Its panic is a failure like others.
    #[inline]
    pub(crate) fn run<B>(
        self,
        conversion: Conversion,
        convert: impl FnOnce() -> Result<B, Unconvertible>,
    ) -> Result<B, ConversionError> {
        let converted = catch_unwind(AssertUnwindSafe(convert));
        let converted = converted.unwrap_or_else(|panic| Err(Unconvertible::from_panic(&*panic)));
        converted.map_err(|cause| ConversionError::new(conversion, self, cause))
    }
}
