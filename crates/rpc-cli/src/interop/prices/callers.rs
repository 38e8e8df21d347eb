//! Callers of `price` and its streams, which know any versions: also some that no callee has.

use bin_prot::ByteString;
use rpc_core::{PipeRpc, Rpc, StateRpc};
use rpc_versioned::{RegistrationError, caller_converts};

use super::{in_dollars, symbol, unknown_reason};
use crate::interop::rpcs::{
    PRICE_1, PRICE_2, PRICE_PIPE_1, PRICE_PIPE_2, PRICE_STATE_1, PRICE_STATE_2, Price, PriceQuery,
};

type Caller = caller_converts::Rpc<PriceQuery, Price>;

type PipeCaller = caller_converts::PipeRpc<PriceQuery, Price, ByteString>;

type StateCaller = caller_converts::StateRpc<PriceQuery, Price, Price, ByteString>;

pub(crate) fn caller(versions: &[i64]) -> Result<Caller, RegistrationError> {
    let mut builder = Caller::builder(PRICE_1.name());
    for version in versions {
        builder = match version {
            1 => builder.version(&PRICE_1, symbol, in_dollars),
            2 => builder.version_from(&PRICE_2),
            other => builder.version_from(&Rpc::<PriceQuery, Price>::new(PRICE_1.name(), *other)),
        };
    }
    builder.build()
}

pub(crate) fn pipe_caller(versions: &[i64]) -> Result<PipeCaller, RegistrationError> {
    let mut builder = PipeCaller::builder(PRICE_PIPE_1.name());
    for version in versions {
        builder = match version {
            1 => builder.version(&PRICE_PIPE_1, symbol, in_dollars, unknown_reason),
            2 => builder.version_from(&PRICE_PIPE_2),
            other => {
                let name = PRICE_PIPE_1.name();
                let rpc = PipeRpc::<PriceQuery, Price, ByteString>::new(name, *other);
                builder.version_from(&rpc)
            }
        };
    }
    builder.build()
}

pub(crate) fn state_caller(versions: &[i64]) -> Result<StateCaller, RegistrationError> {
    let mut builder = StateCaller::builder(PRICE_STATE_1.name());
    for version in versions {
        builder = match version {
            1 => builder.version(
                &PRICE_STATE_1,
                symbol,
                in_dollars,
                in_dollars,
                unknown_reason,
            ),
            2 => builder.version_from(&PRICE_STATE_2),
            other => {
                let name = PRICE_STATE_1.name();
                let rpc = StateRpc::<PriceQuery, Price, Price, ByteString>::new(name, *other);
                builder.version_from(&rpc)
            }
        };
    }
    builder.build()
}
