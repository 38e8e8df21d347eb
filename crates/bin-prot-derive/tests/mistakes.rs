//! Mistakes of the derive's users, and what the compiler says about them.
//!
//! Here and not in `bin-prot`: the compiler is given a package with all that this one's tests
//! depend on, which is built for the purpose, and `bin-prot`'s tests depend on much more.
//!
//! After a new release of the compiler, `TRYBUILD=overwrite` writes the messages anew.

#[test]
fn mistakes_are_shown_at_their_line() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
