//! Choosing a version by the menu: `price` and its streams, as callers see them that know the one,
//! the other, both, and others.
//!
//! What leaves is watched, so that a refusal is known to have sent nothing.

use std::fmt;

use bin_prot::ByteString;
use rpc_core::PipeCloseReason;
use rpc_versioned::{
    CallError, ConnectionWithMenu, Converts, SelectionError, caller_converts, highest_common,
};
use rpc_wire::Description;

use super::plain::still_there;
use crate::interop::check::{Failure, Outcome, equal, within};
use crate::interop::prices;
use crate::interop::rpcs::{PRICE_1, PRICE_PIPE_1, PRICE_STATE_1, Price, PriceQuery};
use crate::interop::run::Run;
use crate::interop::tap::Seen;

/// What callers know.
const CALLERS: [&[i64]; 4] = [&[1, 2], &[1], &[2], &[3, 4]];

/// What they ask: the version shows in the currency of the answer, since version 1 has none.
const CURRENCIES: [Option<&str>; 2] = [Some("EUR"), None];

/// The plain kind, and a name that the callee has in no version.
pub(super) async fn plain(run: &mut Run) -> Outcome {
    let callee = Callee::connect(run, PRICE_1.name()).await?;
    for versions in CALLERS {
        let caller = built(prices::caller(versions))?;
        let ask = |symbol: &str, currency: Option<&str>| {
            caller.dispatch(&callee.connection, prices::query(symbol, currency))
        };
        let Some(version) = callee.common(&caller)? else {
            callee.refuses(&caller, || ask("ABC", None)).await?;
            continue;
        };
        for currency in CURRENCIES {
            let answer = converted(&caller, ask("ABC", currency)).await?;
            equal(label(&caller), answer, price(300, version, currency))?;
        }
    }
    let unknown = caller_converts::Rpc::<PriceQuery, Price>::builder("no-such-rpc").build();
    let unknown = built(unknown)?;
    let dispatch = || unknown.dispatch(&callee.connection, prices::query("ABC", None));
    match callee.sends_nothing(dispatch).await? {
        Err(CallError::Selection(SelectionError::UnknownRpc { .. })) => Ok(()),
        other => Err(Failure::unexpected("no-such-rpc", other, "no such RPC")),
    }
}

/// The pipe kind: updates and the end, and the callee's own error.
pub(super) async fn pipe(run: &mut Run) -> Outcome {
    let callee = Callee::connect(run, PRICE_PIPE_1.name()).await?;
    for versions in CALLERS {
        let caller = built(prices::pipe_caller(versions))?;
        let ask = |symbol: &str, currency: Option<&str>| {
            let asked = caller.dispatch(&callee.connection, prices::query(symbol, currency));
            async { Ok(asked.await?.map(|pipe| (None, pipe))) }
        };
        check_stream(&callee, &caller, ask).await?;
    }
    Ok(())
}

/// The state kind: the same with a state before.
pub(super) async fn state(run: &mut Run) -> Outcome {
    let callee = Callee::connect(run, PRICE_STATE_1.name()).await?;
    for versions in CALLERS {
        let caller = built(prices::state_caller(versions))?;
        let ask = |symbol: &str, currency: Option<&str>| {
            let asked = caller.dispatch(&callee.connection, prices::query(symbol, currency));
            async { Ok(asked.await?.map(|(state, pipe)| (Some(state), pipe))) }
        };
        check_stream(&callee, &caller, ask).await?;
    }
    Ok(())
}

/// A stream, and its state if it is of the kind that has one.
type Opened = (Option<Price>, caller_converts::Pipe<Price>);

/// One caller of a stream: what it gets by each question, and what it is refused.
async fn check_stream<Fut>(
    callee: &Callee,
    caller: &impl Converts,
    ask: impl Fn(&str, Option<&str>) -> Fut,
) -> Outcome
where
    Fut: Future<Output = Result<Result<Opened, ByteString>, CallError>>,
{
    let Some(version) = callee.common(caller)? else {
        return callee.refuses(caller, || ask("ABC", None)).await;
    };
    for currency in CURRENCIES {
        match converted(caller, ask("ABC", currency)).await? {
            Ok((state, pipe)) => {
                if let Some(state) = state {
                    equal(label(caller), state, price(300, version, currency))?;
                }
                updates(pipe, version, currency).await?;
            }
            Err(refusal) => return Err(Failure::unexpected(label(caller), refusal, "a stream")),
        }
    }
    let refused = converted(caller, ask("", None)).await?;
    equal(label(caller), refused.err(), Some(refusal(version).into()))
}

/// What a caller of this version gets.
fn price(px: i64, version: i64, currency: Option<&str>) -> Price {
    let ccy = currency.filter(|_| version > 1).unwrap_or("USD").into();
    Price { px, ccy }
}

/// Why a stream of this version is refused.
fn refusal(version: i64) -> &'static str {
    match version {
        1 => "no reason given",
        _ => "no symbol",
    }
}

/// Three updates, and the ordinary end.
async fn updates(
    mut pipe: caller_converts::Pipe<Price>,
    version: i64,
    currency: Option<&str>,
) -> Outcome {
    for px in 301..=303 {
        let update = within("update", pipe.next()).await?;
        let update = update
            .transpose()
            .map_err(|error| converting(error, "update"))?;
        equal("update", update, Some(price(px, version, currency)))?;
    }
    let end = within("end", pipe.next()).await?;
    equal("end", end.is_none(), true)?;
    match within("end", pipe.close_reason()).await? {
        PipeCloseReason::ClosedRemotely => Ok(()),
        reason => Err(Failure::unexpected("end", reason, "closed remotely")),
    }
}

/// The callee of one family.
struct Callee {
    connection: ConnectionWithMenu,
    name: &'static str,
    versions: Vec<i64>,
    seen: Seen,
}

impl Callee {
    /// Connects, and learns the menu: from the handshake if it has one, else by one query. The family
    /// has the versions that it should have.
    async fn connect(run: &Run, name: &'static str) -> Outcome<Self> {
        let (connection, seen) = run.target.connect_tapped().await?;
        let queries = usize::from(connection.peer_menu().is_none());
        let connection = within("menu", ConnectionWithMenu::request(connection)).await??;
        equal("queries for the menu", seen.queries_sent(), queries)?;
        let versions = connection.menu().versions(name.as_bytes()).collect();
        let expected = run.target.price.numbers().to_vec();
        equal(format_args!("versions of {name}"), &versions, &expected)?;
        Ok(Self {
            connection,
            name,
            versions,
            seen,
        })
    }

    /// The version that this caller has to use, if there is one: the highest common one, of which both
    /// sides have the same types.
    fn common(&self, caller: &impl Converts) -> Outcome<Option<i64>> {
        let versions = caller.versions();
        let common = versions
            .iter()
            .rev()
            .find(|one| self.versions.contains(one));
        let common = common.copied();
        let menu = self.connection.menu();
        let found = highest_common(menu, self.name, &versions);
        equal(label(caller), found.ok(), common)?;
        if let Some(version) = common {
            let used = caller.check(menu);
            let used = used.map_err(|error| Failure::unexpected(label(caller), error, version))?;
            equal(label(caller), used, Description::new(self.name, version))?;
        }
        Ok(common)
    }

    /// No version is common to both, so the dispatch says which each of them knows, and sends nothing.
    async fn refuses<T, Fut>(
        &self,
        caller: &impl Converts,
        dispatch: impl FnOnce() -> Fut,
    ) -> Outcome
    where
        T: fmt::Debug,
        Fut: Future<Output = Result<T, CallError>>,
    {
        match self.sends_nothing(dispatch).await? {
            Err(CallError::Selection(SelectionError::NoCommonVersion {
                name,
                caller_versions,
                callee_versions,
            })) => {
                equal("name", name, self.name)?;
                equal("versions of the caller", caller_versions, caller.versions())?;
                equal("versions of the callee", &callee_versions, &self.versions)
            }
            other => Err(Failure::unexpected(
                label(caller),
                other,
                "no common version",
            )),
        }
    }

    /// What this dispatch results in; until it has, nothing has been sent.
    async fn sends_nothing<T, Fut>(
        &self,
        dispatch: impl FnOnce() -> Fut,
    ) -> Outcome<Result<T, CallError>>
    where
        Fut: Future<Output = Result<T, CallError>>,
    {
        let before = self.seen.queries_sent();
        let result = within(self.name, dispatch()).await?;
        // What may have been queued has left when a later query is answered.
        still_there(self.connection.connection()).await?;
        equal("queries sent", self.seen.queries_sent(), before + 1)?;
        Ok(result)
    }
}

fn built<T>(caller: Result<T, rpc_versioned::RegistrationError>) -> Outcome<T> {
    caller.map_err(|error| Failure::unexpected("a caller of our own", error, "a caller"))
}

/// What a converted dispatch results in.
async fn converted<T>(
    caller: &impl Converts,
    dispatch: impl Future<Output = Result<T, CallError>>,
) -> Outcome<T> {
    let answer = within(label(caller), dispatch).await?;
    answer.map_err(|error| converting(error, label(caller)))
}

fn converting(error: impl Into<CallError>, what: impl fmt::Display) -> Failure {
    Failure::Converted {
        what: what.to_string(),
        source: Box::new(error.into()),
    }
}

/// Which caller.
fn label(caller: &impl Converts) -> String {
    let name = caller.name().unwrap_or_default();
    format!("{name} {:?}", caller.versions())
}
