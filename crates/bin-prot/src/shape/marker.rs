//! Types without values that stand for a recursive type's parameters, and for the type itself,
//! while its body is written down; what the derive's output uses.
//!
//! Rust has no expression for "the body of `Tree<T>`, whatever `T`": the body of
//! `Tree<Parameter<0>>`, with every `Tree<X>` in it replaced by `Recursion<(X,)>`, is one.

use std::marker::PhantomData;
use std::sync::OnceLock;

use super::{BinShape, Definition, Group, Shape};

/// The name that every definition of the derive has; names of types leave no trace.
const NAME: &str = "t";

/// Stands for a type parameter, by position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parameter<const INDEX: usize>;

impl<const INDEX: usize> BinShape for Parameter<INDEX> {
    fn bin_shape() -> Shape {
        Shape::parameter(INDEX.to_string())
    }
}

/// Stands for the recursive type itself, applied to a tuple of arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recursion<A>(PhantomData<A>);

impl<A: Arguments> BinShape for Recursion<A> {
    fn bin_shape() -> Shape {
        Shape::recursive_use(NAME, A::shapes())
    }
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
    let group = match group.get() {
        Some(group) => group,
        None => {
            // Outside of `get_or_init`, which must not be entered twice: that is what a circle
            // of types would do, and it should end as an overflow rather than wait for ever.
            let names: Vec<_> = (0..PARAMETERS).map(|index| index.to_string()).collect();
            let names = names.iter().map(String::as_str);
            let made = Group::new([Definition::new(NAME, names, body())]);
            group.get_or_init(|| made)
        }
    };
    group.apply(NAME, arguments)
}
