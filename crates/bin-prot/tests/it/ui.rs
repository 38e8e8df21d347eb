//! Mistakes of the derive's users, and what the compiler says about them.
//!
//! After a new release of the compiler, `TRYBUILD=overwrite` writes the messages anew.

#[test]
fn mistakes_are_shown_at_their_line() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
