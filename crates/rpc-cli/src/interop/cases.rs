//! The client's cases, in the order in which they run.
//!
//! A case that is recorded asks exactly what the recorded client asked, so that the recordings can
//! be replayed (`tests/it/interop/`); what they lack has a case of its own.

mod closing;
mod errors;
mod handshake;
mod large;
mod menu;
mod metadata;
mod one_way;
mod plain;
mod state;
mod streams;
mod timing;
mod values;
mod versioned;
mod wire;

use std::fmt;
use std::pin::Pin;

use super::check::Outcome;
use super::run::Run;

/// One case: a name, and what it does.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// An RPC that the suite's page does not have, and without which there is nothing to check.
    pub(crate) needs: Option<&'static str>,
    pub(super) check: for<'a> fn(&'a mut Run) -> Checking<'a>,
}

type Checking<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! needs {
    () => {
        None
    };
    ($needs:literal) => {
        Some($needs)
    };
}

macro_rules! cases {
    ($($name:literal $(if $needs:literal)? => $check:path,)*) => {
        &[$(Case {
            name: $name,
            needs: needs!($($needs)?),
            check: |run| Box::pin($check(run)),
        }),*]
    };
}

/// All cases.
pub(crate) static CASES: &[Case] = cases![
    "handshake" => handshake::handshake,
    "echo-small" => plain::echo_small,
    "echo" => plain::echo,
    "sum" => plain::sum,
    "fail" => plain::fail,
    "divide" => plain::divide,
    "oneway" => one_way::oneway,
    "oneway-boom" => one_way::boom,
    "oneway-unimplemented" => one_way::unimplemented,
    "count" => streams::count,
    "count-large" => streams::count_large,
    "boom-pipe" => streams::boom,
    "abort" => streams::abort,
    "abort-by-close" => streams::abort_by_close,
    "state" => state::state,
    "state-hold" => state::hold,
    "big-0" => large::big_0,
    "big-100" => large::big_100,
    "big" => large::big,
    "auth" => errors::auth,
    "zoo" => values::zoo,
    "zoo2" => values::zoo2,
    "unimplemented" => errors::unimplemented,
    "bad-query" => errors::bad_query,
    "menu" => menu::menu,
    "versioned" => versioned::plain,
    "versioned-pipe" if "price-pipe" => versioned::pipe,
    "versioned-state" if "price-state" => versioned::state,
    "ident" => handshake::ident,
    "metadata" => metadata::metadata,
    "out-of-order" => timing::out_of_order,
    "heartbeat" => timing::heartbeat,
    "close" => closing::close,
    "rank" => wire::rank,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
    }
}
