//! What servers answer, asked for and compared.

pub(crate) mod diff;
pub(crate) mod json;
pub(crate) mod offer;
pub(crate) mod text;
