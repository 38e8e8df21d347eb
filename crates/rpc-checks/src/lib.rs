//! What must hold for any bytes that a stranger sends, decoder by decoder.
//!
//! Each check takes bytes, decodes them, and panics if a promise is broken: what was read is
//! written again in its canonical form, with the size that was promised; two ways of reading agree;
//! nothing panics, and nothing allocates more than a small multiple of what came in.
//!
//! The same checks run in three ways: under libFuzzer (the package `fuzz`, one target for each),
//! over the inputs that are checked in (`fuzz/corpus`, `fuzz/regressions`), and over damaged and
//! random ones, both in this package's tests.
//!
//! Knows nothing of libFuzzer. For tests only: it installs an allocator that counts.

mod chance;
mod conversation;
mod frames;
mod handshake;
pub mod memory;
mod messages;
#[path = "../../rpc-wire/tests/it/naive.rs"]
mod naive;
pub mod pieces;
pub mod plan;
mod sexps;
mod shapes;
mod texts;
mod twins;
mod types;
mod values;

pub use conversation::conversation;
pub use frames::frames;
pub use handshake::handshake;
pub use messages::messages;
pub use sexps::sexps;
pub use shapes::shapes;
pub use texts::texts;
pub use twins::twins;
pub use types::types;
pub use values::values;

/// A check and what its corpus, its fuzz target and its folder of regressions are called.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The name.
    pub name: &'static str,
    /// Panics if something does not hold for these bytes.
    pub run: fn(&[u8]),
}

/// All of them.
pub const CHECKS: &[Check] = &[
    Check {
        name: "conversation",
        run: conversation,
    },
    Check {
        name: "frames",
        run: frames,
    },
    Check {
        name: "handshake",
        run: handshake,
    },
    Check {
        name: "messages",
        run: messages,
    },
    Check {
        name: "sexps",
        run: sexps,
    },
    Check {
        name: "shapes",
        run: shapes,
    },
    Check {
        name: "texts",
        run: texts,
    },
    Check {
        name: "twins",
        run: twins,
    },
    Check {
        name: "types",
        run: types,
    },
    Check {
        name: "values",
        run: values,
    },
];
