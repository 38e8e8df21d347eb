//! A finished state RPC for a program that thinks in other types.

use std::sync::Arc;

use super::{Operation, StateRpc};
use crate::caller_converts::failed;
use crate::caller_converts::streaming::map_error;
use crate::conversion::{Conversion, Convert};

impl<Q, T, U, E> StateRpc<Q, T, U, E>
where
    Q: 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Send + 'static,
{
    /// The same RPC for a program that thinks of queries as `P`.
    #[must_use]
    pub fn map_query<P: 'static>(&self, query: impl Convert<P, Q>) -> StateRpc<P, T, U, E> {
        let query = Arc::new(query);
        let family = self.family.map(|version, open| {
            let (query, open) = (query.clone(), open.clone());
            let operation: Operation<P, T, U, E> = Arc::new(move |connection, value| match version
                .run(Conversion::Query, || query(value))
            {
                Ok(value) => open(connection, value),
                Err(error) => failed(error),
            });
            operation
        });
        StateRpc { family }
    }

    /// The same RPC for a program that thinks of states as `P`.
    #[must_use]
    pub fn map_state<P: Send + 'static>(&self, state: impl Convert<T, P>) -> StateRpc<Q, P, U, E> {
        let convert = Arc::new(state);
        let family = self.family.map(|version, open| {
            let (convert, open) = (convert.clone(), open.clone());
            let operation: Operation<Q, P, U, E> = Arc::new(move |connection, query| {
                let (convert, opening) = (convert.clone(), open(connection, query));
                Box::pin(async move {
                    let (state, pipe) = match opening.await? {
                        Ok(opened) => opened,
                        Err(refusal) => return Ok(Err(refusal)),
                    };
                    let state = version.run(Conversion::State, || convert(state))?;
                    Ok(Ok((state, pipe)))
                })
            });
            operation
        });
        StateRpc { family }
    }

    /// The same RPC for a program that thinks of updates as `P`.
    #[must_use]
    pub fn map_update<P: Send + 'static>(
        &self,
        update: impl Convert<U, P>,
    ) -> StateRpc<Q, T, P, E> {
        let convert = Arc::new(update);
        let family = self.family.map(|version, open| {
            let (convert, open) = (convert.clone(), open.clone());
            let operation: Operation<Q, T, P, E> = Arc::new(move |connection, query| {
                let (convert, opening) = (convert.clone(), open(connection, query));
                Box::pin(async move {
                    let convert = move |update| convert(update);
                    let opened = opening.await?;
                    Ok(opened.map(|(state, pipe)| {
                        (state, pipe.map(version, Conversion::Update, convert))
                    }))
                })
            });
            operation
        });
        StateRpc { family }
    }

    /// The same RPC for a program that thinks of the callee's own errors as `P`.
    #[must_use]
    pub fn map_error<P: Send + 'static>(&self, error: impl Convert<E, P>) -> StateRpc<Q, T, U, P> {
        let convert = Arc::new(error);
        let family = self.family.map(|version, open| {
            let (convert, open) = (convert.clone(), open.clone());
            let operation: Operation<Q, T, U, P> = Arc::new(move |connection, query| {
                let (convert, opening) = (convert.clone(), open(connection, query));
                Box::pin(async move { map_error(version, opening, &*convert).await })
            });
            operation
        });
        StateRpc { family }
    }
}
