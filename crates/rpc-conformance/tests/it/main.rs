//! What the runner accepts and, above all, what it does not: every kind of vector and every part
//! of a recording, damaged.

mod default_set;
mod inputs;
mod place;
mod recordings;
mod vectors;
