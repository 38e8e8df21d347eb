//! What is known of the payloads of RPCs: their types, by name and version.
//!
//! A shapes file says it, in one of two forms: types and RPCs as a person writes them
//! (`docs/decode.md`), or S-expressions as `__Versioned_rpc.Shape_menu` answers them.

mod library;
mod menu;
mod parser;
mod scanner;
mod scope;
mod signature;
mod syntax;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;

use bin_prot::dynamic::Type;
use bin_prot::shape::{BinShape, Digest, Shape};
use bin_prot::{Sexp, sexp};
use rpc_wire::{Description, RpcDigests, menu_rpc};

use scanner::{Scanner, SyntaxError};
use scope::Scope;
use syntax::{Item, Rpc};

pub(super) use signature::Signature;

/// The RPCs whose types are known.
#[derive(Debug)]
pub(crate) struct Shapes {
    rpcs: HashMap<Description, Known>,
}

#[derive(Debug)]
struct Known {
    types: RpcTypes,
    /// Where it comes from: those that every peer has may be replaced.
    is_built_in: bool,
}

/// The type of one payload.
#[derive(Debug)]
pub(super) struct PayloadType {
    pub(super) ty: Type,
    digest: Digest,
}

/// The types of one RPC.
pub(super) type RpcTypes = Signature<PayloadType>;

impl Default for Shapes {
    /// Those that every peer may have: the two menu RPCs (*protocol* §12).
    fn default() -> Self {
        let mut shapes = Self {
            rpcs: HashMap::new(),
        };
        for (rpc, response) in [
            (menu_rpc::MENU, menu_rpc::Names::bin_shape()),
            (menu_rpc::SHAPE_MENU, menu_rpc::Shapes::bin_shape()),
        ] {
            let query = <()>::bin_shape();
            shapes
                .insert(rpc.to_description(), Signature::Plain { query, response })
                .expect("derived shapes are shapes, and the names differ");
        }
        for known in shapes.rpcs.values_mut() {
            known.is_built_in = true;
        }
        shapes
    }
}

impl Shapes {
    /// Adds the RPCs of a shapes file.
    ///
    /// # Errors
    /// The text is none, or describes an RPC that another file has described.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), SyntaxError> {
        let start = text.trim_start();
        if start.starts_with(';') || (start.starts_with('(') && !start.starts_with("(*")) {
            return self.add_menu(text);
        }
        let mut scope = Scope::new(text);
        for item in parser::parse(text)? {
            match item {
                Item::Types {
                    definitions,
                    is_recursive,
                } => scope.define(&definitions, is_recursive)?,
                Item::Rpc(rpc) => {
                    let Rpc {
                        description,
                        place,
                        signature,
                    } = *rpc;
                    let signature = signature.try_map(|_, expression| scope.shape(&expression))?;
                    let added = self.insert(description, signature);
                    added.map_err(|problem| scope.error(place, problem))?;
                }
            }
        }
        Ok(())
    }

    fn add_menu(&mut self, text: &str) -> Result<(), SyntaxError> {
        let source = Scanner::new(text);
        let sexps = sexp::Parser::new(text.as_bytes()).collect::<Result<Vec<Sexp>, _>>();
        let sexps = sexps.map_err(|error| {
            source.error(scanner::Place::at(error.offset), error.kind.to_string())
        })?;
        let begin = scanner::Place::at(0);
        let rpcs = menu::parse(&sexps).map_err(|problem| source.error(begin, problem))?;
        for (description, signature) in rpcs {
            let added = self.insert(description, signature);
            added.map_err(|problem| source.error(begin, problem))?;
        }
        Ok(())
    }

    fn insert(&mut self, rpc: Description, signature: Signature<Shape>) -> Result<(), String> {
        let types = signature.try_map(|what, shape| {
            let failed = |error: &dyn fmt::Display| format!("{rpc}, {what}: {error}");
            Ok::<_, String>(PayloadType {
                ty: Type::new(&shape).map_err(|error| failed(&error))?,
                digest: shape.digest().map_err(|error| failed(&error))?,
            })
        })?;
        let known = Known {
            types,
            is_built_in: false,
        };
        match self.rpcs.entry(rpc) {
            Entry::Occupied(entry) if !entry.get().is_built_in => {
                Err(format!("{} is described twice", entry.key()))
            }
            Entry::Occupied(mut entry) => {
                entry.insert(known);
                Ok(())
            }
            Entry::Vacant(entry) => {
                entry.insert(known);
                Ok(())
            }
        }
    }

    /// The types of an RPC, if they are known.
    pub(super) fn get(&self, rpc: &Description) -> Option<&RpcTypes> {
        self.rpcs.get(rpc).map(|known| &known.types)
    }

    /// The RPCs that are known to be plain or one-way.
    pub(super) fn plain_rpcs(&self) -> HashSet<Description> {
        let plain = self.rpcs.iter();
        plain
            .filter(|(_, known)| !matches!(known.types, Signature::Stream { .. }))
            .map(|(rpc, _)| rpc.clone())
            .collect()
    }
}

impl RpcTypes {
    /// What a peer's menu says otherwise, if it has digests and says anything.
    pub(super) fn contradiction(&self, digests: &RpcDigests) -> Option<String> {
        let theirs = Signature::of(digests)?;
        if self.kind() != theirs.kind() {
            return Some(format!("it is {}, not {}", theirs.kind(), self.kind()));
        }
        let (ours, theirs) = (self.parts(), theirs.parts());
        ours.iter().zip(theirs).find_map(|((what, ours), theirs)| {
            (ours.digest != *theirs.1).then(|| format!("the {what} has another shape"))
        })
    }
}

#[cfg(test)]
mod tests;
