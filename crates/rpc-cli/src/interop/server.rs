//! The suite's callee: what each RPC does.

mod prices;
mod updates;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bin_prot::{ByteString, Sexp};
use rpc_core::{
    Builder, DirectStreamWriter, HandlerError, Implementation, Implementations, OnException,
    OnUnknownRpc,
};
use rpc_versioned::RegistrationError;
use rpc_wire::DEFAULT_KEY;

use super::prices::{PriceVersions, callee, pipe_callee, state_callee};
use super::rpcs::{
    BIG, BOOM_PIPE, COUNT, COUNT_DIRECT, COUNTER, CountQuery, DIVIDE, ECHO_METADATA, ECHO_STRING,
    FAIL, FORBIDDEN, FORBIDDEN_PIPE, LIVE_TICKS, LOG, LOG_BOOM, LOG_COUNT, SLEEP, SUM, TICKS, ZOO,
    ZOO2,
};
use updates::{AtTheEnd, Updates};

/// What all connections of one server share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tallies(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    logged: AtomicI64,
    live_ticks: AtomicI64,
}

/// Counts one of the live streams of `ticks` while it exists.
#[derive(Debug)]
struct LiveTicks(Tallies);

impl LiveTicks {
    fn new(tallies: &Tallies) -> Self {
        tallies.0.live_ticks.fetch_add(1, Ordering::Relaxed);
        Self(tallies.clone())
    }
}

impl Drop for LiveTicks {
    fn drop(&mut self) {
        self.0.0.live_ticks.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The table of the suite's implementations, with these versions of `price`.
///
/// # Errors
/// Only if this file names one of them twice.
pub(crate) fn table(price: &PriceVersions) -> anyhow::Result<Implementations<Tallies>> {
    Ok(suite(price)?.build()?)
}

/// The same with the streams of `price`, in these versions, too.
///
/// # Errors
/// Only if this file names one of them twice.
pub(crate) fn table_with_price_streams(
    price: &PriceVersions,
) -> anyhow::Result<Implementations<Tallies>> {
    let (pipe, state) = (pipe_callee(price)?, state_callee(price)?);
    let table = suite(price)?
        .implementations(pipe.implement(|_, _version, query| async { Ok(prices::pipe(query)) }))
        .implementations(state.implement(|_, _version, query| async { Ok(prices::state(query)) }))
        .build()?;
    Ok(table)
}

fn suite(price: &PriceVersions) -> Result<Builder<Tallies>, RegistrationError> {
    let price = callee(price)?;
    let builder = Implementations::builder()
        .implement_blocking(&ECHO_STRING, |_, text| Ok(text))
        .implement_blocking(&SUM, |_, numbers| Ok(sum(&numbers)))
        .implement_blocking(&FAIL, |_, text| Err(failure(text)))
        .implement_blocking(&DIVIDE, |_, (a, b)| Ok(divide(a, b)))
        .implement_one_way(&LOG, |tallies: &Tallies, _| {
            tallies.0.logged.fetch_add(1, Ordering::Relaxed);
            async { Ok(()) }
        })
        .implement_blocking(&LOG_COUNT, |tallies: &Tallies, ()| {
            Ok(tallies.0.logged.load(Ordering::Relaxed))
        })
        .implementation(
            Implementation::one_way(&LOG_BOOM, |_, text| async { Err(failure(text)) })
                .on_exception(OnException::CloseConnection),
        )
        .implement_pipe(&COUNT, |_, query| async { Ok(count(query)) })
        .implement_pipe_direct(&COUNT_DIRECT, |_, query, writer| async {
            Ok(count_directly(query, writer))
        })
        .implement_pipe(&BOOM_PIPE, |_, text| async {
            Err::<Result<NoUpdates, _>, _>(failure(text))
        })
        .implement_pipe(&TICKS, |tallies: &Tallies, milliseconds| {
            let live = LiveTicks::new(tallies);
            async move {
                let every = Duration::from_millis(u64::try_from(milliseconds)?);
                Ok(Ok(Updates::new(0..).every(every).keeping(live)))
            }
        })
        .implement_blocking(&LIVE_TICKS, |tallies: &Tallies, ()| {
            Ok(tallies.0.live_ticks.load(Ordering::Relaxed))
        })
        .implement_state(&COUNTER, |_, query| async move { Ok(counter(&query)) })
        .implement_blocking(&BIG, |_, size| big(size))
        .implement_blocking(&FORBIDDEN, |_, query| Err(refusal(&query)))
        .implement_pipe(&FORBIDDEN_PIPE, |_, query| async move {
            Err::<Result<NoUpdates, _>, _>(refusal(&query))
        })
        .implement_blocking(&ZOO, |_, animals| Ok(animals))
        .implement_blocking(&ZOO2, |_, animals| Ok(animals))
        .implementation(
            Implementation::blocking(&ECHO_METADATA, |metadata: &Option<ByteString>, ()| {
                Ok(metadata.clone())
            })
            .lift(|_, query| {
                query
                    .metadata(DEFAULT_KEY)
                    .map(|text| ByteString(text.to_vec()))
            }),
        )
        .implement(&SLEEP, |_, milliseconds| async move {
            // Less than nothing is no time at all.
            let duration = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
            tokio::time::sleep(duration).await;
            Ok(milliseconds)
        })
        .implementations(price.implement_blocking(|_, _version, query| Ok(prices::price(query))))
        .on_unknown_rpc(OnUnknownRpc::Continue);
    Ok(builder)
}

/// `(Failure TEXT)`, with any bytes as its text.
fn failure(text: ByteString) -> HandlerError {
    HandlerError::from_sexp(Sexp::list([Sexp::atom("Failure"), Sexp::atom(text)]))
}

fn refusal(query: &ByteString) -> HandlerError {
    HandlerError::not_authorized(format_args!("no {query}"))
}

/// The number as OCaml would have it: of what passes 63 bits, the lowest 63.
fn wrapped(number: i64) -> i64 {
    (number << 1) >> 1
}

fn sum(numbers: &[i64]) -> i64 {
    wrapped(numbers.iter().fold(0, |sum, n| sum.wrapping_add(*n)))
}

fn divide(a: i64, b: i64) -> Result<i64, ByteString> {
    if b == 0 {
        return Err("division by zero".into());
    }
    Ok(wrapped(a.wrapping_div(b)))
}

fn count(query: CountQuery) -> Result<Updates<impl Iterator<Item = i64> + Unpin>, ByteString> {
    match query.fail_with {
        Some(error) => Err(error),
        None => Ok(Updates::new(query.from_..query.until)),
    }
}

/// Counts by writing, in a task that waits for the transport now and then: a direct writer does
/// not wait by itself.
fn count_directly(query: CountQuery, writer: DirectStreamWriter<i64>) -> Result<(), ByteString> {
    if let Some(error) = query.fail_with {
        return Err(error);
    }
    tokio::spawn(async move {
        for number in query.from_..query.until {
            // The caller, or its connection, may be gone.
            let Ok(flushed) = writer.write_with_pushback(&number) else {
                return;
            };
            if number % 1000 == 0 {
                flushed.await;
            }
        }
    });
    Ok(())
}

/// Of a stream that never begins.
type NoUpdates = Updates<std::iter::Empty<i64>>;

type Counter = (i64, Updates<std::ops::RangeInclusive<i64>>);

fn counter(query: &ByteString) -> Result<Counter, ByteString> {
    const SLOWLY: Duration = Duration::from_millis(200);
    let updates = Updates::new(1..=10);
    let updates = match query.as_bytes() {
        b"bad" => return Err("bad counter".into()),
        b"slow" => updates.every(SLOWLY),
        b"hold" => updates.at_the_end(AtTheEnd::Hold),
        _ => updates,
    };
    Ok((100, updates))
}

/// What passes the limit of a message by far is not even built: it would be refused anyway.
fn big(size: i64) -> Result<ByteString, HandlerError> {
    const MOST: usize = 1 << 30;
    match usize::try_from(size)? {
        size if size > MOST => Err(HandlerError::new(format_args!("{size} bytes are too many"))),
        size => Ok(ByteString(vec![b'x'; size])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page's clarification: towards zero. What OCaml's own numbers do at their ends.
    #[test]
    fn arithmetic_is_that_of_ocaml() {
        const LEAST: i64 = -(1 << 62);
        assert_eq!(divide(22, 7), Ok(3));
        assert_eq!(divide(-22, 7), Ok(-3));
        assert_eq!(divide(22, 0), Err("division by zero".into()));
        assert_eq!(divide(LEAST, -1), Ok(LEAST));
        assert_eq!(sum(&[]), 0);
        assert_eq!(sum(&[-LEAST - 1, 1]), LEAST);
        assert_eq!(sum(&[LEAST, LEAST]), 0);
    }
}
