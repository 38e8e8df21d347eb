//! The story of `docs/versioning.md`, with processes of three releases; and that the page tells what
//! the programs do.

mod guide;
mod refused;
mod rollout;
mod story;
