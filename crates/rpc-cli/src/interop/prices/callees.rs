//! Callees of `price` and its streams, which know some of the versions.

use bin_prot::ByteString;
use rpc_versioned::{RegistrationError, callee_converts};

use super::{PriceVersions, in_default_currency, no_reason, without_currency};
use crate::interop::rpcs::{
    PRICE_1, PRICE_2, PRICE_PIPE_1, PRICE_PIPE_2, PRICE_STATE_1, PRICE_STATE_2, Price, PriceQuery,
};

type Callee<S> = callee_converts::Rpc<S, PriceQuery, Price>;

type PipeCallee<S> = callee_converts::PipeRpc<S, PriceQuery, Price, ByteString>;

type StateCallee<S> = callee_converts::StateRpc<S, PriceQuery, Price, Price, ByteString>;

pub(crate) fn callee<S: Send + 'static>(
    versions: &PriceVersions,
) -> Result<Callee<S>, RegistrationError> {
    let mut builder = Callee::builder(PRICE_1.name());
    for version in versions.numbers() {
        builder = match version {
            1 => builder.version(&PRICE_1, in_default_currency, without_currency),
            _ => builder.version_from(&PRICE_2),
        };
    }
    builder.build()
}

pub(crate) fn pipe_callee<S: Send + 'static>(
    versions: &PriceVersions,
) -> Result<PipeCallee<S>, RegistrationError> {
    let mut builder = PipeCallee::builder(PRICE_PIPE_1.name());
    for version in versions.numbers() {
        builder = match version {
            1 => builder.version(
                &PRICE_PIPE_1,
                in_default_currency,
                without_currency,
                no_reason,
            ),
            _ => builder.version_from(&PRICE_PIPE_2),
        };
    }
    builder.build()
}

pub(crate) fn state_callee<S: Send + 'static>(
    versions: &PriceVersions,
) -> Result<StateCallee<S>, RegistrationError> {
    let mut builder = StateCallee::builder(PRICE_STATE_1.name());
    for version in versions.numbers() {
        builder = match version {
            1 => builder.version(
                &PRICE_STATE_1,
                in_default_currency,
                without_currency,
                without_currency,
                no_reason,
            ),
            _ => builder.version_from(&PRICE_STATE_2),
        };
    }
    builder.build()
}
