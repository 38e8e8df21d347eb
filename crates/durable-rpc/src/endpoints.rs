//! Several servers that are as good as each other, but not as welcome.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// Several addresses in the order in which they are to be tried. Never empty.
///
/// For a [persistent connection](crate::persistent) it is a [`Lookup`](crate::Lookup): each
/// attempt has its address. A [durable value](crate::Durable) has one attempt for each use, in which
/// [`failover`](Self::failover) tries them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints<A> {
    first: A,
    others: Arc<[A]>,
}

/// None of the endpoints could be connected to: each with its error, in the order in which they
/// were tried.
#[derive(Debug)]
pub struct NoEndpoint<A, E> {
    /// The endpoints and their errors.
    pub failures: Vec<(A, E)>,
}

impl<A> Endpoints<A> {
    /// These, the most preferred first.
    pub fn new<const N: usize>(endpoints: [A; N]) -> Self {
        const { assert!(N > 0, "there must be an endpoint") };
        let mut endpoints = endpoints.into_iter();
        match endpoints.next() {
            Some(first) => Self {
                first,
                others: endpoints.collect(),
            },
            None => unreachable!("N is not 0"),
        }
    }

    /// These, the most preferred first; `None` if there are none.
    pub fn try_new(endpoints: impl IntoIterator<Item = A>) -> Option<Self> {
        let mut endpoints = endpoints.into_iter();
        Some(Self {
            first: endpoints.next()?,
            others: endpoints.collect(),
        })
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &A> {
        std::iter::once(&self.first).chain(&*self.others)
    }

    /// The one whose turn it is after so many failures.
    pub(crate) fn in_turn(&self, failures: u64) -> &A {
        let place = failures % (self.others.len() as u64 + 1);
        self.iter().nth(place as usize).unwrap_or(&self.first)
    }
}

impl<A: Clone + Send + Sync + 'static> Endpoints<A> {
    /// A function that tries one after the other until one can be connected to, beginning with the
    /// first each time: for [`Durable::new`](crate::Durable::new). How long each may take is up to
    /// `connect`.
    ///
    /// ```
    /// use durable_rpc::{Durable, Endpoints};
    /// use rpc_core::{Client, Connection};
    ///
    /// let servers = Endpoints::new(["primary:8080", "backup:8080"]);
    /// let connect = |address| async move { Client::new().connect(address).await };
    /// let connection = Durable::new(servers.failover(connect), Connection::is_closed);
    /// # drop(connection);
    /// ```
    pub fn failover<C, E, Fut>(
        self,
        connect: impl Fn(A) -> Fut + Send + Sync + 'static,
    ) -> impl Fn() -> Pin<Box<dyn Future<Output = Result<C, NoEndpoint<A, E>>> + Send>> + Send + Sync
    where
        C: 'static,
        E: Send + 'static,
        Fut: Future<Output = Result<C, E>> + Send + 'static,
    {
        let connect = Arc::new(connect);
        move || {
            let (endpoints, connect) = (self.clone(), connect.clone());
            Box::pin(async move {
                let mut failures = Vec::new();
                for endpoint in endpoints.iter() {
                    match connect(endpoint.clone()).await {
                        Ok(connection) => return Ok(connection),
                        Err(error) => failures.push((endpoint.clone(), error)),
                    }
                }
                Err(NoEndpoint { failures })
            })
        }
    }
}

impl<A: fmt::Debug, E: fmt::Display> fmt::Display for NoEndpoint<A, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (endpoint, error)) in self.failures.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(f, "{separator}{endpoint:?}: {error}")?;
        }
        Ok(())
    }
}

impl<A: fmt::Debug, E: fmt::Display + fmt::Debug> Error for NoEndpoint<A, E> {}
