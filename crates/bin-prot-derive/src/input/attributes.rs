//! What `#[bin_prot(...)]` says on types, and on fields and constructors.

use proc_macro2::Span;
use syn::parse::Parse as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, Ident, LitStr, Path, Result, Token, Type, TypePath};

use super::{Identity, Recursion};
use crate::substitute::last_ident;

#[derive(Default)]
pub(super) struct TypeAttributes {
    pub(super) polymorphic: Option<Span>,
    recursive: bool,
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
                if meta.path.is_ident("polymorphic") {
                    parsed.polymorphic = Some(meta.path.span());
                } else if meta.path.is_ident("recursive") {
                    parsed.recursive = true;
                } else if meta.path.is_ident("group") {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    let members = content.parse_terminated(TypePath::parse, Token![,])?;
                    parsed.group = Some((meta.path.span(), members.into_iter().collect()));
                } else if meta.path.is_ident("annotate") {
                    parsed.annotate = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("base") {
                    parsed.base = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("crate") {
                    parsed.krate = Some(meta.value()?.parse::<LitStr>()?.parse()?);
                } else {
                    return Err(meta.error(
                        "expected `polymorphic`, `recursive`, `group`, `annotate`, `base` or `crate`",
                    ));
                }
                Ok(())
            })?;
        }
        Ok(parsed)
    }

    pub(super) fn recursion(&self, ident: &Ident) -> Result<Recursion> {
        match &self.group {
            None if self.recursive => Ok(Recursion::Itself),
            None => Ok(Recursion::None),
            Some((span, _)) if self.recursive => Err(Error::new(
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
                    let value: LitStr = meta.value()?.parse()?;
                    if value.value().is_empty() {
                        return Err(Error::new(value.span(), "a name is not empty"));
                    }
                    parsed.name = Some(value);
                } else if meta.path.is_ident("as") {
                    parsed.converted = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("inherit") {
                    parsed.inherit = Some(meta.path.span());
                } else {
                    return Err(meta.error("expected `name`, `as` or `inherit`"));
                }
                Ok(())
            })?;
        }
        Ok(parsed)
    }
}

fn ours(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("bin_prot"))
}
