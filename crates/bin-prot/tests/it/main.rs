//! What the encoding promises, told by its users: golden vectors, properties, hostile bytes.

mod derive;
mod dynamic;
mod every_type;
mod golden;
mod hostile;
mod library;
mod memory;
mod positions;
mod properties;
mod shapes;
