//! Digests: computed from the shape expression, with its groups, and never looked up.

use rpc_testkit::golden::Vector;

use crate::compare;
use crate::report::{Checked, Problem};
use crate::shape;

/// `digest`: a shape expression, its canonical form, and the digest of that.
pub(super) fn check(vector: &Vector) -> Checked {
    let shape = shape::parse(vector.field("shape")?, vector.fields.get("groups"))?;
    let canonical = shape
        .canonical()
        .map_err(|error| Problem::differs("shape", "that of a type", error))?;
    if let Some(expected) = vector.fields.get("canonical") {
        shape::check_canonical(expected, &canonical)?;
    }
    compare::equal(
        "digest",
        vector.text("digest")?,
        &canonical.digest().to_string(),
    )
}
