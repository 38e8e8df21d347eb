//! Small programs to begin with, one a file beside this folder: `cargo run --example echo`.
//!
//! Each says at its top what it prints, and `cargo xtask examples` checks that it does.
