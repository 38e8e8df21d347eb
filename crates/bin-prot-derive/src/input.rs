//! From syn to our own model of a type. Every mistake of the author is found here and reported
//! at its place; the generators take the model for granted.

mod attributes;

use std::collections::BTreeMap;

use proc_macro2::Span;
use quote::format_ident;
use syn::spanned::Spanned as _;
use syn::{
    Data, DeriveInput, Error, Fields, Generics, Ident, Lifetime, LitStr, Member, Path, Result,
    Type, TypePath, parse_quote,
};

use crate::name;
use crate::substitute::mentions;
use attributes::{PartAttributes, TypeAttributes};

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
    pub(crate) recursion: Recursion,
    pub(crate) body: Body,
}

/// Which types a type contains that contain it.
pub(crate) enum Recursion {
    None,
    Itself,
    /// The types that are declared together, this one among them.
    Group(Vec<TypePath>),
}

impl Recursion {
    pub(crate) fn is_declared(&self) -> bool {
        !matches!(self, Self::None)
    }
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
    /// The type that it is converted to, and whose bytes and shape it has.
    pub(crate) converted: Option<Type>,
    span: Span,
}

impl Field {
    /// The type that gives the bytes and the shape.
    pub(crate) fn wire(&self) -> &Type {
        self.converted.as_ref().unwrap_or(&self.ty)
    }
}

/// A constructor of an enum.
pub(crate) struct Constructor {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) arguments: Arguments,
    /// Stands for all constructors of its only field, a polymorphic variant.
    pub(crate) inherits: bool,
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
    pub(crate) fn fields(&self) -> Vec<&Field> {
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
            recursion: attributes.recursion(&item.ident)?,
            krate: attributes.krate.unwrap_or_else(|| parse_quote!(::bin_prot)),
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
            Some(param) if self.recursion.is_declared() && shaped == Shaped::Yes => {
                Err(Error::new(
                    param.span(),
                    "a recursive type with const parameters has no OCaml counterpart",
                ))
            }
            _ => Ok(()),
        }
    }

    fn check_recursion(&self) -> Result<()> {
        if self.recursion.is_declared() || matches!(self.identity, Identity::Base(_)) {
            return Ok(());
        }
        match self
            .body
            .fields()
            .into_iter()
            .find(|field| mentions(field.wire(), &self.ident))
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
            if let Some(constructor) = constructors.iter().find(|constructor| constructor.inherits)
            {
                return Err(Error::new(
                    constructor.span,
                    "only a polymorphic variant includes another: add #[bin_prot(polymorphic)] \
                     to the type",
                ));
            }
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
            let PartAttributes {
                name,
                converted,
                inherit,
            } = PartAttributes::parse(&variant.attrs)?;
            if let Some(ty) = converted {
                return Err(Error::new(
                    ty.span(),
                    "a field is converted, not a constructor",
                ));
            }
            if let Some(span) = inherit {
                check_inheriting(&arguments, name.as_ref(), span)?;
            }
            Ok(Constructor {
                ident: variant.ident.clone(),
                name: name.map_or_else(|| name::constructor(&variant.ident), |name| name.value()),
                arguments,
                inherits: inherit.is_some(),
                span: variant.ident.span(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    check_distinct(
        constructors
            .iter()
            .filter(|constructor| !constructor.inherits)
            .map(|constructor| (constructor.name.as_str(), constructor.span)),
    )?;
    Ok(constructors)
}

fn check_inheriting(arguments: &Arguments, name: Option<&LitStr>, span: Span) -> Result<()> {
    if let Some(name) = name {
        return Err(Error::new(
            name.span(),
            "what is included has its own names, and this constructor none",
        ));
    }
    match arguments {
        Arguments::Positional(fields) if fields.len() == 1 => Ok(()),
        Arguments::None | Arguments::Positional(_) | Arguments::InlineRecord(_) => Err(Error::new(
            span,
            "the included polymorphic variant is the only field, without a name",
        )),
    }
}

fn fields(fields: &Fields) -> Result<Vec<Field>> {
    let fields = fields
        .iter()
        .zip(fields.members())
        .enumerate()
        .map(|(index, (field, member))| {
            let PartAttributes {
                name: own,
                converted,
                inherit,
            } = PartAttributes::parse(&field.attrs)?;
            if let Some(span) = inherit {
                return Err(Error::new(span, "a constructor inherits, not its field"));
            }
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
                converted,
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
    for constructor in constructors
        .iter()
        .filter(|constructor| !constructor.inherits)
    {
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

#[cfg(test)]
mod tests;
