//! What `#[bin_prot(...)]` says on types, and on fields and constructors.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::parse::Parse as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, Ident, LitStr, Path, Result, Token, Type, TypePath};

use super::{Identity, Recursion};
use crate::substitute::last_ident;

#[derive(Default)]
pub(super) struct TypeAttributes {
    pub(super) polymorphic: Option<Span>,
    recursive: Option<Span>,
    group: Option<(Span, Vec<TypePath>)>,
    annotate: Option<LitStr>,
    base: Option<LitStr>,
    pub(super) krate: Option<Path>,
}

impl TypeAttributes {
    pub(super) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut parsed = Self::default();
        for attribute in ours(attributes) {
            attribute.parse_nested_meta(|meta| {
                let span = meta.path.span();
                if meta.path.is_ident("polymorphic") {
                    once(&mut parsed.polymorphic, &meta, |_| Ok(span))
                } else if meta.path.is_ident("recursive") {
                    once(&mut parsed.recursive, &meta, |_| Ok(span))
                } else if meta.path.is_ident("group") {
                    once(&mut parsed.group, &meta, |meta| {
                        let content;
                        syn::parenthesized!(content in meta.input);
                        let members = content.parse_terminated(TypePath::parse, Token![,])?;
                        Ok((span, members.into_iter().collect()))
                    })
                } else if meta.path.is_ident("annotate") {
                    once(&mut parsed.annotate, &meta, |meta| meta.value()?.parse())
                } else if meta.path.is_ident("base") {
                    once(&mut parsed.base, &meta, |meta| meta.value()?.parse())
                } else if meta.path.is_ident("crate") {
                    once(&mut parsed.krate, &meta, |meta| {
                        meta.value()?.parse::<LitStr>()?.parse()
                    })
                } else {
                    Err(meta.error(
                        "expected `polymorphic`, `recursive`, `group`, `annotate`, `base` or `crate`",
                    ))
                }
            })?;
        }
        Ok(parsed)
    }

    pub(super) fn recursion(&self, ident: &Ident) -> Result<Recursion> {
        match &self.group {
            None if self.recursive.is_some() => Ok(Recursion::Itself),
            None => Ok(Recursion::None),
            Some((span, _)) if self.recursive.is_some() => Err(Error::new(
                *span,
                "a group says already that its types are recursive",
            )),
            Some((span, members)) => {
                if !members
                    .iter()
                    .any(|member| last_ident(member) == Some(ident))
                {
                    return Err(Error::new(
                        *span,
                        format!("the group of `{ident}` has to list `{ident}` itself"),
                    ));
                }
                Ok(Recursion::Group(members.clone()))
            }
        }
    }

    pub(super) fn identity(&self) -> Result<Identity> {
        match (&self.annotate, &self.base) {
            (None, None) => Ok(Identity::None),
            (Some(id), None) => Ok(Identity::Annotate(id.clone())),
            (None, Some(id)) => Ok(Identity::Base(id.clone())),
            (Some(_), Some(id)) => Err(Error::new(
                id.span(),
                "a type is annotated or a basic type, not both",
            )),
        }
    }
}

/// What a field or constructor says of itself.
#[derive(Default)]
pub(super) struct PartAttributes {
    pub(super) name: Option<LitStr>,
    pub(super) converted: Option<Type>,
    pub(super) inherit: Option<Span>,
}

impl PartAttributes {
    pub(super) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut parsed = Self::default();
        for attribute in ours(attributes) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    once(&mut parsed.name, &meta, |meta| {
                        let value: LitStr = meta.value()?.parse()?;
                        if value.value().is_empty() {
                            return Err(Error::new(value.span(), "a name is not empty"));
                        }
                        Ok(value)
                    })
                } else if meta.path.is_ident("as") {
                    once(&mut parsed.converted, &meta, |meta| meta.value()?.parse())
                } else if meta.path.is_ident("inherit") {
                    once(&mut parsed.inherit, &meta, |meta| Ok(meta.path.span()))
                } else {
                    Err(meta.error("expected `name`, `as` or `inherit`"))
                }
            })?;
        }
        Ok(parsed)
    }
}

/// Sets what an attribute says, if none before has said it.
fn once<T>(
    said: &mut Option<T>,
    meta: &ParseNestedMeta<'_>,
    parse: impl FnOnce(&ParseNestedMeta<'_>) -> Result<T>,
) -> Result<()> {
    if said.is_some() {
        return Err(meta.error("this is said twice"));
    }
    *said = Some(parse(meta)?);
    Ok(())
}

fn ours(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("bin_prot"))
}
