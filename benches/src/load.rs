//! Calls and updates over TCP: the workloads, and who runs and reports them.

pub mod duel;
pub mod lasting;
pub mod ours;
pub mod raw;
mod report;
mod system;

pub use report::Table;
pub use system::{
    CONNECTIONS, Kind, MEMBERS, Plan, Sample, System, Workload, assert_moves, check, payload,
};
