//! From syn to our own model of a type. Every mistake of the author is found here and reported
//! at its place; the generators take the model for granted.

use std::collections::BTreeMap;

use proc_macro2::Span;
use quote::format_ident;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, Generics, Ident, Lifetime, LitStr, Member, Path,
    Result, Type, parse_quote,
};

use crate::name;
use crate::substitute::mentions;

/// Most constructors that a one-byte tag numbers.
const NARROW: usize = 1 << 8;
/// Most constructors that any tag numbers.
const WIDE: usize = 1 << 16;

/// Whether the type's shape is derived too: some rules concern only that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shaped {
    Yes,
    No,
}

/// The type.
pub(crate) struct Input {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    /// Path of the `bin-prot` crate.
    pub(crate) krate: Path,
    pub(crate) identity: Identity,
    pub(crate) recursive: bool,
    pub(crate) body: Body,
}

/// What the shape says about the type beside its structure.
pub(crate) enum Identity {
    None,
    /// The structure, marked.
    Annotate(LitStr),
    /// A name instead of the structure.
    Base(LitStr),
}

/// The structure.
pub(crate) enum Body {
    Record(Vec<Field>),
    Alias(Box<Field>),
    Tuple(Vec<Field>),
    Variant(Vec<Constructor>),
    Polymorphic(Vec<Constructor>),
}

/// A field of a struct or constructor.
pub(crate) struct Field {
    /// How Rust gets at it: a name or a position.
    pub(crate) member: Member,
    /// The variable that generated code binds it to.
    pub(crate) variable: Ident,
    /// Its OCaml name; empty when it has only a position.
    pub(crate) name: String,
    pub(crate) ty: Type,
    span: Span,
}

/// A constructor of an enum.
pub(crate) struct Constructor {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) arguments: Arguments,
    span: Span,
}

/// What follows a constructor's tag.
pub(crate) enum Arguments {
    None,
    Positional(Vec<Field>),
    InlineRecord(Vec<Field>),
}

impl Arguments {
    pub(crate) fn fields(&self) -> &[Field] {
        match self {
            Self::None => &[],
            Self::Positional(fields) | Self::InlineRecord(fields) => fields,
        }
    }
}

impl Body {
    fn fields(&self) -> Vec<&Field> {
        match self {
            Self::Record(fields) | Self::Tuple(fields) => fields.iter().collect(),
            Self::Alias(field) => vec![field],
            Self::Variant(constructors) | Self::Polymorphic(constructors) => constructors
                .iter()
                .flat_map(|constructor| constructor.arguments.fields())
                .collect(),
        }
    }
}

impl Input {
    pub(crate) fn new(item: &DeriveInput, shaped: Shaped) -> Result<Self> {
        let attributes = TypeAttributes::parse(&item.attrs)?;
        let input = Self {
            ident: item.ident.clone(),
            generics: item.generics.clone(),
            body: body(item, attributes.polymorphic)?,
            identity: attributes.identity()?,
            krate: attributes.krate.unwrap_or_else(|| parse_quote!(::bin_prot)),
            recursive: attributes.recursive,
        };
        input.check_generics(shaped)?;
        if shaped == Shaped::Yes {
            input.check_recursion()?;
        }
        Ok(input)
    }

    /// The type's own lifetime, from which its values borrow.
    pub(crate) fn lifetime(&self) -> Option<&Lifetime> {
        self.generics
            .lifetimes()
            .next()
            .map(|param| &param.lifetime)
    }

    /// The generics with `bound` on each type parameter.
    pub(crate) fn bounded(&self, bound: &syn::TypeParamBound) -> Generics {
        let mut generics = self.generics.clone();
        for param in generics.type_params_mut() {
            param.bounds.push(bound.clone());
        }
        generics
    }

    fn check_generics(&self, shaped: Shaped) -> Result<()> {
        if let Some(second) = self.generics.lifetimes().nth(1) {
            return Err(Error::new(
                second.span(),
                "values are read from one input: a second lifetime has nothing to borrow from",
            ));
        }
        match self.generics.const_params().next() {
            Some(param) if self.recursive && shaped == Shaped::Yes => Err(Error::new(
                param.span(),
                "a recursive type with const parameters has no OCaml counterpart",
            )),
            _ => Ok(()),
        }
    }

    fn check_recursion(&self) -> Result<()> {
        if self.recursive || matches!(self.identity, Identity::Base(_)) {
            return Ok(());
        }
        match self
            .body
            .fields()
            .into_iter()
            .find(|field| mentions(&field.ty, &self.ident))
        {
            Some(field) => Err(Error::new(
                field.span,
                format!(
                    "`{}` contains itself: add #[bin_prot(recursive)] to it",
                    self.ident
                ),
            )),
            None => Ok(()),
        }
    }
}

fn body(item: &DeriveInput, polymorphic: Option<Span>) -> Result<Body> {
    match (&item.data, polymorphic) {
        (Data::Enum(data), None) => {
            let constructors = constructors(data)?;
            if constructors.len() > WIDE {
                return Err(Error::new(
                    item.ident.span(),
                    "a variant has at most 65,536 constructors",
                ));
            }
            Ok(Body::Variant(constructors))
        }
        (Data::Enum(data), Some(span)) => {
            let constructors = constructors(data)?;
            check_polymorphic(&constructors, span)?;
            Ok(Body::Polymorphic(constructors))
        }
        (Data::Struct(_) | Data::Union(_), Some(span)) => Err(Error::new(
            span,
            "only an enum can be a polymorphic variant",
        )),
        (Data::Struct(data), None) => match &data.fields {
            Fields::Named(named) if !named.named.is_empty() => {
                Ok(Body::Record(fields(&data.fields)?))
            }
            Fields::Unnamed(unnamed) if !unnamed.unnamed.is_empty() => {
                let mut fields = fields(&data.fields)?;
                match fields.len() {
                    1 => Ok(Body::Alias(Box::new(fields.remove(0)))),
                    _ => Ok(Body::Tuple(fields)),
                }
            }
            Fields::Named(_) | Fields::Unnamed(_) | Fields::Unit => Err(Error::new(
                item.ident.span(),
                "a struct without fields has no OCaml counterpart; \
                 OCaml's unit is `struct Unit(())`",
            )),
        },
        (Data::Union(_), None) => Err(Error::new(
            item.ident.span(),
            "a union has no OCaml counterpart",
        )),
    }
}

fn constructors(data: &syn::DataEnum) -> Result<Vec<Constructor>> {
    let constructors = data
        .variants
        .iter()
        .map(|variant| {
            let arguments = match &variant.fields {
                Fields::Named(named) if named.named.is_empty() => {
                    return Err(Error::new(
                        variant.ident.span(),
                        "an inline record needs a field",
                    ));
                }
                Fields::Named(_) => Arguments::InlineRecord(fields(&variant.fields)?),
                Fields::Unnamed(unnamed) if !unnamed.unnamed.is_empty() => {
                    Arguments::Positional(fields(&variant.fields)?)
                }
                Fields::Unnamed(_) | Fields::Unit => Arguments::None,
            };
            let name = own_name(&variant.attrs)?;
            Ok(Constructor {
                ident: variant.ident.clone(),
                name: name.map_or_else(|| name::constructor(&variant.ident), |name| name.value()),
                arguments,
                span: variant.ident.span(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    check_distinct(
        constructors
            .iter()
            .map(|constructor| (constructor.name.as_str(), constructor.span)),
    )?;
    Ok(constructors)
}

fn fields(fields: &Fields) -> Result<Vec<Field>> {
    let fields = fields
        .iter()
        .zip(fields.members())
        .enumerate()
        .map(|(index, (field, member))| {
            let own = own_name(&field.attrs)?;
            let name = match (&field.ident, own) {
                (Some(_), Some(own)) => own.value(),
                (Some(ident), None) => name::field(ident),
                (None, Some(own)) => {
                    return Err(Error::new(
                        own.span(),
                        "a field without a name in Rust has none",
                    ));
                }
                (None, None) => String::new(),
            };
            Ok(Field {
                member,
                variable: format_ident!("field{index}", span = Span::mixed_site()),
                name,
                ty: field.ty.clone(),
                span: field.ty.span(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    check_distinct(
        fields
            .iter()
            .filter(|field| !field.name.is_empty())
            .map(|field| (field.name.as_str(), field.span)),
    )?;
    Ok(fields)
}

fn check_distinct<'a>(names: impl Iterator<Item = (&'a str, Span)>) -> Result<()> {
    let mut seen = BTreeMap::new();
    for (name, span) in names {
        if seen.insert(name, ()).is_some() {
            return Err(Error::new(span, format!("the name `{name}` is used twice")));
        }
    }
    Ok(())
}

fn check_polymorphic(constructors: &[Constructor], span: Span) -> Result<()> {
    if constructors.is_empty() {
        return Err(Error::new(
            span,
            "a polymorphic variant needs a constructor",
        ));
    }
    let mut tags = BTreeMap::new();
    for constructor in constructors {
        if let Arguments::InlineRecord(_) = constructor.arguments {
            return Err(Error::new(
                constructor.span,
                "a polymorphic variant has no inline records; \
                 name the record, or use positional fields for a tuple",
            ));
        }
        if let Some(other) = tags.insert(name::tag(&constructor.name), &constructor.name) {
            return Err(Error::new(
                constructor.span,
                format!(
                    "`{}` and `{other}` have the same hash and cannot be in one type",
                    constructor.name
                ),
            ));
        }
    }
    Ok(())
}

/// How many bytes an ordinary variant's tag takes.
pub(crate) fn tag_bytes(constructors: usize) -> usize {
    if constructors > NARROW { 2 } else { 1 }
}

#[derive(Default)]
struct TypeAttributes {
    polymorphic: Option<Span>,
    recursive: bool,
    annotate: Option<LitStr>,
    base: Option<LitStr>,
    krate: Option<Path>,
}

impl TypeAttributes {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut parsed = Self::default();
        for attribute in ours(attributes) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("polymorphic") {
                    parsed.polymorphic = Some(meta.path.span());
                } else if meta.path.is_ident("recursive") {
                    parsed.recursive = true;
                } else if meta.path.is_ident("annotate") {
                    parsed.annotate = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("base") {
                    parsed.base = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("crate") {
                    parsed.krate = Some(meta.value()?.parse::<LitStr>()?.parse()?);
                } else {
                    return Err(meta.error(
                        "expected `polymorphic`, `recursive`, `annotate`, `base` or `crate`",
                    ));
                }
                Ok(())
            })?;
        }
        Ok(parsed)
    }

    fn identity(&self) -> Result<Identity> {
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

/// The `name = "..."` of a field or constructor.
fn own_name(attributes: &[Attribute]) -> Result<Option<LitStr>> {
    let mut name = None;
    for attribute in ours(attributes) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error("expected `name`"));
            }
            let value: LitStr = meta.value()?.parse()?;
            if value.value().is_empty() {
                return Err(Error::new(value.span(), "a name is not empty"));
            }
            name = Some(value);
            Ok(())
        })?;
    }
    Ok(name)
}

fn ours(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("bin_prot"))
}

#[cfg(test)]
mod tests;
