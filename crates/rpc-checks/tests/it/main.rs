//! The checks, over inputs that were kept and over new ones; libFuzzer needs neither.

mod inputs;
mod random;
mod replay;
