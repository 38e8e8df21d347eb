//! Both ends of the interoperability suite, as processes: against each other, and against
//! recordings of the reference.

mod both_ends;
mod durable;
mod recorded_callees;
mod recorded_callers;
mod script;
mod wire;
