//! Both ends of the interoperability suite, as processes: against each other, and against
//! recordings of the reference.

mod both_ends;
mod client;
mod durable;
mod price;
mod recorded_callees;
mod recorded_callers;
mod script;
mod wire;
