//! A finished pipe RPC for a program that thinks in other types.

use std::sync::Arc;

use super::{Call, Opening, Operation, PipeRpc};
use crate::caller_converts::callback::mapping;
use crate::caller_converts::failed;
use crate::caller_converts::streaming::map_error;
use crate::conversion::{Conversion, Convert};

impl<Q: 'static, U: Send + 'static, E: Send + 'static> PipeRpc<Q, U, E> {
    /// The same RPC for a program that thinks of queries as `P`.
    #[must_use]
    pub fn map_query<P: 'static>(&self, query: impl Convert<P, Q>) -> PipeRpc<P, U, E> {
        let query = Arc::new(query);
        let family = self.family.map(|version, operation| {
            let (convert, open) = (query.clone(), operation.open.clone());
            let open = move |connection: &_, value| match version
                .run(Conversion::Query, || convert(value))
            {
                Ok(value) => open(connection, value),
                Err(error) => failed(error),
            };
            let call = operation.call.clone().map(|call| {
                let convert = query.clone();
                let call: Call<P, U, E> =
                    Arc::new(move |connection, value, callback| {
                        match version.run(Conversion::Query, || convert(value)) {
                            Ok(value) => call(connection, value, callback),
                            Err(error) => failed(error),
                        }
                    });
                call
            });
            Operation {
                open: Arc::new(open),
                call,
            }
        });
        PipeRpc { family }
    }

    /// The same RPC for a program that thinks of updates as `P`.
    #[must_use]
    pub fn map_update<P: Send + 'static>(&self, update: impl Convert<U, P>) -> PipeRpc<Q, P, E> {
        let update = Arc::new(update);
        let family = self.family.map(|version, operation| {
            let (convert, open) = (update.clone(), operation.open.clone());
            let open = move |connection: &_, query| {
                let (convert, opening) = (convert.clone(), open(connection, query));
                let running = async move {
                    let convert = move |update| convert(update);
                    let opened = opening.await?;
                    Ok(opened.map(|pipe| pipe.map(version, Conversion::Response, convert)))
                };
                Box::pin(running) as Opening<_, _>
            };
            let call = operation.call.clone().map(|call| {
                let convert = update.clone();
                let call: Call<Q, P, E> = Arc::new(move |connection, query, callback| {
                    let convert = convert.clone();
                    let callback = mapping(version, move |update| convert(update), callback);
                    call(connection, query, callback)
                });
                call
            });
            Operation {
                open: Arc::new(open),
                call,
            }
        });
        PipeRpc { family }
    }

    /// The same RPC for a program that thinks of the callee's own errors as `P`.
    #[must_use]
    pub fn map_error<P: Send + 'static>(&self, error: impl Convert<E, P>) -> PipeRpc<Q, U, P> {
        let error = Arc::new(error);
        let family = self.family.map(|version, operation| {
            let (convert, open) = (error.clone(), operation.open.clone());
            let open = move |connection: &_, query| {
                let (convert, opening) = (convert.clone(), open(connection, query));
                let running = async move { map_error(version, opening, &*convert).await };
                Box::pin(running) as Opening<_, _>
            };
            let call = operation.call.clone().map(|call| {
                let convert = error.clone();
                let call: Call<Q, U, P> = Arc::new(move |connection, query, callback| {
                    let convert = convert.clone();
                    let opening = call(connection, query, callback);
                    Box::pin(async move { map_error(version, opening, &*convert).await })
                });
                call
            });
            Operation {
                open: Arc::new(open),
                call,
            }
        });
        PipeRpc { family }
    }
}
