//! What parameters and recursive uses stand for at a place in a type.
//!
//! Types are not expanded, so that one which is used inside itself at other arguments, without
//! end, is no special case. The definitions around a place are on the stack instead: a node goes
//! with the innermost of them, and that with the ones around it.

use super::error::{Error, ErrorKind};
use super::node::Node;
use super::{Type, Value};

/// A node and the definition that it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'f> {
    node: usize,
    frame: Option<&'f Frame<'f>>,
}

/// A definition that was applied to arguments.
#[derive(Debug)]
pub(super) struct Frame<'f> {
    definition: usize,
    arguments: Vec<At<'f>>,
    /// How many definitions are around this one.
    level: usize,
    outer: Option<&'f Self>,
}

/// How many uses in a row may stand for each other before something else comes.
const MOST_USES: usize = 256;

impl<'f> At<'f> {
    pub(super) fn new(node: usize, frame: Option<&'f Frame<'f>>) -> Self {
        Self { node, frame }
    }

    pub(super) fn node(self) -> usize {
        self.node
    }

    /// Another node in the same definition.
    pub(super) fn to(self, node: usize) -> Self {
        Self { node, ..self }
    }
}

impl Type {
    /// Runs `visit` on the node at a place, or on the one that it stands for.
    pub(super) fn visit<T>(
        &self,
        at: At<'_>,
        visit: impl FnOnce(&Node, At<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.visit_use(at, MOST_USES, visit)
    }

    fn visit_use<T>(
        &self,
        at: At<'_>,
        uses_left: usize,
        visit: impl FnOnce(&Node, At<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let endless = || Error::new(ErrorKind::Endless);
        let node = self.node(at.node);
        if let Node::Application(..) | Node::RecursiveUse(..) | Node::Parameter(_) = node
            && uses_left == 0
        {
            return Err(endless());
        }
        match node {
            Node::Application(definition, arguments) => {
                let frame = Frame {
                    definition: *definition,
                    arguments: arguments.iter().map(|node| at.to(*node)).collect(),
                    level: at.frame.map_or(0, |frame| frame.level + 1),
                    outer: at.frame,
                };
                self.visit_use(At::new(*definition, Some(&frame)), uses_left - 1, visit)
            }
            Node::RecursiveUse(level, arguments) => {
                let around = std::iter::successors(at.frame, |frame| frame.outer)
                    .find(|frame| frame.level == *level)
                    .ok_or_else(endless)?;
                let frame = Frame {
                    definition: around.definition,
                    arguments: arguments.iter().map(|node| at.to(*node)).collect(),
                    level: *level,
                    outer: around.outer,
                };
                let body = At::new(frame.definition, Some(&frame));
                self.visit_use(body, uses_left - 1, visit)
            }
            Node::Parameter(index) => {
                let argument = at.frame.and_then(|frame| frame.arguments.get(*index));
                let argument = *argument.ok_or_else(endless)?;
                self.visit_use(argument, uses_left - 1, visit)
            }
            node => visit(node, at),
        }
    }
}

/// What is read, for the walks that make a value.
pub(super) type Read = Result<Value, Error>;
