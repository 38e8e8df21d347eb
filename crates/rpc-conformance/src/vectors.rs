//! One vector: which check its kind asks for.

mod digest;
mod errors;
pub(crate) mod message;
mod negotiation;
mod payload;
mod value;

use std::rc::Rc;

use bin_prot::dynamic::Type;
use rpc_testkit::golden::Vector;

use crate::report::{Checked, Problem};
use crate::types::Types;

/// Where a vector looks for its types.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'t> {
    pub(crate) types: &'t Types,
    /// The number of the vector's own file.
    pub(crate) file: usize,
    /// The number of the file that describes the protocol's own types.
    pub(crate) protocol: usize,
}

impl Scope<'_> {
    /// The type that the vectors call this.
    fn get(self, key: &str) -> Checked<Rc<Type>> {
        self.types.get(self.file, key)
    }

    /// One of the protocol's own types.
    fn protocol(self, key: &str) -> Checked<Rc<Type>> {
        self.types.get(self.protocol, key)
    }
}

/// Checks all that a vector states.
pub(crate) fn check(vector: &Vector, scope: Scope<'_>) -> Checked {
    match vector.kind.as_str() {
        "bin_prot" => value::check(vector, scope),
        "bin_prot_decode" => value::check_decode(vector, scope),
        "bin_prot_error" => errors::check_value(vector, scope),
        "variant_hash" => value::check_hash(vector),
        "digest" => digest::check(vector),
        "rpc_error" => message::check_rpc_error(vector, scope),
        "message" => message::check(vector, scope),
        "message_bare_unit" => message::check_bare_unit(vector, scope),
        "message_error" => errors::check_message(vector),
        "frame" => message::check_frame(vector, scope),
        "negotiation" => negotiation::check(vector),
        kind => Err(Problem::Unchecked(format!(
            "no vectors of kind {kind:?} are known"
        ))),
    }
}
