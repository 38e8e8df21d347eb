//! Calls and updates over TCP: the workloads, and who runs and reports them.

pub mod awake;
pub mod caller;
pub mod duel;
pub mod lasting;
mod others;
pub mod ours;
mod pacer;
mod plan;
pub mod raw;
pub mod results;
mod rounds;
mod system;
mod table;
mod workload;

pub use plan::Plan;
pub use rounds::Rounds;
pub use system::{Sample, System, assert_moves};
pub use table::Table;
pub use workload::{CONNECTIONS, Kind, MEMBERS, MENU, Workload, check, payload, renumber};
