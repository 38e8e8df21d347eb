//! Menus and conversions, over connections of our own.

mod allocations;
mod auto_traits;
mod both;
mod callback;
mod callee;
mod callee_streams;
mod caller;
mod caller_streams;
mod direct;
mod dropping;
mod failures;
mod families;
mod matrix;
mod menu_model;
mod menuless;
mod menus;
mod pair;
mod preference;
mod registration;
mod selection;
