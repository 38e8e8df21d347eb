//! Types without values that stand for a recursive type's parameters, and for the type itself,
//! while its body is written down; what the derive's output uses.
//!
//! Rust has no expression for "the body of `Tree<T>`, whatever `T`": the body of
//! `Tree<Parameter<0>>`, with every `Tree<X>` in it replaced by `Recursion<(X,)>`, is one.

use std::marker::PhantomData;
use std::sync::OnceLock;

use super::{BinShape, Definition, Group, Shape};

/// Stands for a type parameter, by position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parameter<const INDEX: usize>;

impl<const INDEX: usize> BinShape for Parameter<INDEX> {
    fn bin_shape() -> Shape {
        Shape::parameter(INDEX.to_string())
    }
}

/// Stands for a type of the same group, by its position there, applied to a tuple of arguments.
/// A recursive type alone has the position 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recursion<A, const MEMBER: usize>(PhantomData<A>);

impl<A: Arguments, const MEMBER: usize> BinShape for Recursion<A, MEMBER> {
    fn bin_shape() -> Shape {
        Shape::recursive_use(name(MEMBER), A::shapes())
    }
}

/// What definitions of the derive are called; names of types leave no trace.
fn name(member: usize) -> String {
    member.to_string()
}

/// A tuple of up to eight types, as arguments of a [`Recursion`].
pub trait Arguments {
    /// Their shapes.
    fn shapes() -> Vec<Shape>;
}

macro_rules! arguments {
    ($($name:ident)*) => {
        impl<$($name: BinShape),*> Arguments for ($($name,)*) {
            fn shapes() -> Vec<Shape> {
                vec![$($name::bin_shape()),*]
            }
        }
    };
}
arguments!();
arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);
arguments!(A B C D E F G);
arguments!(A B C D E F G H);

/// The shape of a type that contains itself, applied to `arguments`. The group, which is the same
/// for all arguments, is made from `body` on first use.
pub fn recursive<const PARAMETERS: usize>(
    group: &OnceLock<Group>,
    arguments: [Shape; PARAMETERS],
    body: impl FnOnce() -> Shape,
) -> Shape {
    mutually_recursive(group, 0, arguments, || [(PARAMETERS, body())])
}

/// A type that was declared together with others; what these need of it.
pub trait Member {
    /// How many type parameters it has.
    const PARAMETERS: usize;
    /// The names of the group's types, in the order in which each of them lists them.
    const MEMBERS: &'static [&'static str];

    /// The type's definition, in which [`Parameter`] and [`Recursion`] stand for its parameters
    /// and for the types of the group.
    fn body() -> Shape;
}

/// The shape of the type at position `member` of a group, applied to `arguments`. The group is
/// made on first use, from the number of parameters and the body of each of its types.
pub fn mutually_recursive<const PARAMETERS: usize, const MEMBERS: usize>(
    group: &OnceLock<Group>,
    member: usize,
    arguments: [Shape; PARAMETERS],
    definitions: impl FnOnce() -> [(usize, Shape); MEMBERS],
) -> Shape {
    let group = match group.get() {
        Some(group) => group,
        None => {
            // Outside of `get_or_init`, which must not be entered twice: that is what a circle
            // of types would do that was written by hand and not declared.
            let made = definitions().into_iter().enumerate();
            let made = Group::new(made.map(|(member, (parameters, body))| {
                let names: Vec<_> = (0..parameters).map(|index| index.to_string()).collect();
                let names = names.iter().map(String::as_str);
                Definition::new(name(member), names, body)
            }));
            group.get_or_init(|| made)
        }
    };
    group.apply(name(member), arguments)
}

/// Whether two types of a group list the same types in the same order.
pub const fn same_members(one: &[&str], other: &[&str]) -> bool {
    let (mut one, mut other) = (one, other);
    loop {
        match (one, other) {
            ([], []) => return true,
            ([name, rest @ ..], [other_name, other_rest @ ..]) => {
                if !same_bytes(name.as_bytes(), other_name.as_bytes()) {
                    return false;
                }
                (one, other) = (rest, other_rest);
            }
            _ => return false,
        }
    }
}

const fn same_bytes(one: &[u8], other: &[u8]) -> bool {
    let (mut one, mut other) = (one, other);
    loop {
        match (one, other) {
            ([], []) => return true,
            ([byte, rest @ ..], [other_byte, other_rest @ ..]) if *byte == *other_byte => {
                (one, other) = (rest, other_rest);
            }
            _ => return false,
        }
    }
}
