//! Whole simulations. Many more run by `cargo xtask simulate`, where tokio's own choices follow
//! from the seed as well.

mod seeds;
