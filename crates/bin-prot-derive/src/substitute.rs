//! Looking for a name in a type, and replacing names by other types.

use syn::{GenericArgument, Ident, PathArguments, Type, TypePath};

/// Whether `ty` contains a use of the type called `ident`, or of `Self`.
pub(crate) fn mentions(ty: &Type, ident: &Ident) -> bool {
    let mut found = false;
    let mut copy = ty.clone();
    replace(&mut copy, &mut |path| {
        found |= is_use_of(path, ident);
        None
    });
    found
}

/// Whether `path` is a use of the type called `ident`, or `Self`, with or without arguments.
pub(crate) fn is_use_of(path: &TypePath, ident: &Ident) -> bool {
    path.qself.is_none()
        && path.path.leading_colon.is_none()
        && path.path.segments.len() == 1
        && path
            .path
            .segments
            .iter()
            .all(|segment| segment.ident == *ident || segment.ident == "Self")
}

/// The name at the end of a path.
pub(crate) fn last_ident(path: &TypePath) -> Option<&Ident> {
    path.path.segments.last().map(|segment| &segment.ident)
}

/// The type arguments of the last segment of `path`.
pub(crate) fn type_arguments(path: &TypePath) -> Vec<Type> {
    match path.path.segments.last().map(|segment| &segment.arguments) {
        Some(PathArguments::AngleBracketed(arguments)) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Offers every path in `ty`, innermost first, to `with`, and puts what it returns in its place.
pub(crate) fn replace(ty: &mut Type, with: &mut dyn FnMut(&TypePath) -> Option<Type>) {
    match ty {
        Type::Path(path) => {
            for segment in &mut path.path.segments {
                let PathArguments::AngleBracketed(arguments) = &mut segment.arguments else {
                    continue;
                };
                for argument in &mut arguments.args {
                    if let GenericArgument::Type(inner) = argument {
                        replace(inner, with);
                    }
                }
            }
            if let Some(replacement) = with(path) {
                *ty = replacement;
            }
        }
        Type::Array(array) => replace(&mut array.elem, with),
        Type::Slice(slice) => replace(&mut slice.elem, with),
        Type::Reference(reference) => replace(&mut reference.elem, with),
        Type::Paren(paren) => replace(&mut paren.elem, with),
        Type::Group(group) => replace(&mut group.elem, with),
        Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(|elem| replace(elem, with)),
        // Function pointers, trait objects and the like have no encoding.
        _ => {}
    }
}
