//! `BinRead`: the parts in the order of their declaration.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::{Generics, Ident, Lifetime, Type, parse_quote};

use crate::input::{Arguments, Body, Constructor, Field, Input, tag_bytes};
use crate::name;

pub(crate) fn impl_for(input: &Input) -> TokenStream {
    let Input { ident, krate, .. } = input;
    let (lifetime, generics) = read_generics(input);
    let read = Read {
        krate: quote!(#krate),
        lifetime: quote!(#lifetime),
    };
    let least = read.least_size(&input.body);
    let value = read.value(&input.body);
    let polymorphic = polymorphic(input);
    let (_, type_generics, _) = input.generics.split_for_impl();
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::BinRead<#lifetime> for #ident #type_generics #where_clause {
            const MIN_SIZE: usize = #least;

            #[inline]
            fn bin_read(
                reader: &mut #krate::Reader<#lifetime>,
            ) -> ::core::result::Result<Self, #krate::ReadError> {
                #value
            }
        }
        #polymorphic
    }
}

/// Which tags a polymorphic variant has, for others that include it.
fn polymorphic(input: &Input) -> TokenStream {
    let Input { ident, krate, .. } = input;
    let Body::Polymorphic(constructors) = &input.body else {
        return quote!();
    };
    let own = constructors
        .iter()
        .filter(|constructor| !constructor.inherits)
        .map(|constructor| {
            let tag = name::tag(&constructor.name);
            quote!(tag == [#(#tag),*])
        });
    let included = inherited(constructors)
        .map(|(_, ty)| quote!(<#ty as #krate::variant::Polymorphic>::has_tag(tag)));
    let tests = own.chain(included);
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::variant::Polymorphic for #ident #type_generics #where_clause {
            fn has_tag(tag: [u8; 4]) -> bool {
                #(#tests)||*
            }
        }
    }
}

/// The constructors that include other polymorphic variants, with those.
fn inherited(constructors: &[Constructor]) -> impl Iterator<Item = (&Ident, &Type)> {
    constructors
        .iter()
        .filter(|constructor| constructor.inherits)
        .flat_map(|constructor| {
            let fields = constructor.arguments.fields().iter();
            fields.map(|field| (&constructor.ident, field.wire()))
        })
}

/// The lifetime of the input, which is the type's own if it has one, and the impl's generics.
fn read_generics(input: &Input) -> (Lifetime, Generics) {
    let krate = &input.krate;
    match input.lifetime() {
        Some(own) => (
            own.clone(),
            input.bounded(&parse_quote!(#krate::BinRead<#own>)),
        ),
        None => {
            let lifetime: Lifetime = parse_quote!('bin_prot);
            let mut generics = input.bounded(&parse_quote!(#krate::BinRead<#lifetime>));
            generics.params.insert(0, parse_quote!(#lifetime));
            (lifetime, generics)
        }
    }
}

struct Read {
    krate: TokenStream,
    lifetime: TokenStream,
}

impl Read {
    /// An expression of type `Result<Self, ReadError>`.
    fn value(&self, body: &Body) -> TokenStream {
        match body {
            Body::Record(fields) | Body::Tuple(fields) => {
                let fields = self.fields(fields);
                quote!(::core::result::Result::Ok(Self #fields))
            }
            Body::Alias(field) => {
                let fields = self.fields(std::slice::from_ref(field));
                quote!(::core::result::Result::Ok(Self #fields))
            }
            Body::Variant(constructors) => self.variant(constructors),
            Body::Polymorphic(constructors) => self.polymorphic(constructors),
        }
    }

    fn variant(&self, constructors: &[Constructor]) -> TokenStream {
        let krate = &self.krate;
        if constructors.is_empty() {
            return quote! {
                ::core::result::Result::Err(reader.error(#krate::ReadErrorKind::EmptyType))
            };
        }
        let count = Literal::usize_unsuffixed(constructors.len());
        let arms = constructors
            .iter()
            .enumerate()
            .map(|(number, constructor)| {
                let number = Literal::usize_unsuffixed(number);
                let value = self.constructor(constructor);
                quote!(#number => #value,)
            });
        let (read_tag, tag) = match tag_bytes(constructors.len()) {
            1 => (quote!(read_tag), quote!(::core::convert::From::from(tag))),
            _ => (quote!(read_wide_tag), quote!(tag)),
        };
        quote! {
            match #krate::variant::#read_tag(reader, #count)? {
                #(#arms)*
                tag => ::core::result::Result::Err(
                    #krate::variant::bad_tag(reader, #tag, #count)
                ),
            }
        }
    }

    fn polymorphic(&self, constructors: &[Constructor]) -> TokenStream {
        let krate = &self.krate;
        let own = constructors
            .iter()
            .filter(|constructor| !constructor.inherits)
            .map(|constructor| {
                let tag = name::tag(&constructor.name);
                let value = self.constructor(constructor);
                quote!([#(#tag),*] => #value,)
            });
        // What is included reads its tag itself.
        let included: Vec<_> = inherited(constructors)
            .map(|(ident, ty)| {
                let lifetime = &self.lifetime;
                quote! {
                    tag if <#ty as #krate::variant::Polymorphic>::has_tag(tag) => {
                        *reader = before;
                        ::core::result::Result::Ok(Self::#ident(
                            <#ty as #krate::BinRead<#lifetime>>::bin_read(reader)?
                        ))
                    }
                }
            })
            .collect();
        let before = match included.as_slice() {
            [] => quote!(),
            _ => quote!(let before = ::core::clone::Clone::clone(reader);),
        };
        quote! {
            #before
            match #krate::variant::read_polymorphic(reader)? {
                #(#own)*
                #(#included)*
                tag => ::core::result::Result::Err(#krate::variant::unknown(reader, tag)),
            }
        }
    }

    fn constructor(&self, constructor: &Constructor) -> TokenStream {
        let Self { krate, .. } = self;
        let ident = &constructor.ident;
        let fields = self.fields(constructor.arguments.fields());
        let value = quote!(::core::result::Result::Ok(Self::#ident #fields));
        match &constructor.arguments {
            Arguments::None => value,
            Arguments::Positional(_) | Arguments::InlineRecord(_) => {
                quote!(#krate::variant::read_arguments(reader, |reader| #value))
            }
        }
    }

    /// `{ a: …, b: … }`, which Rust also takes for positional fields and for none; expressions
    /// in it are evaluated in the order in which they are written.
    fn fields(&self, fields: &[Field]) -> TokenStream {
        let Self { krate, lifetime } = self;
        let fields = fields.iter().map(|field| {
            let Field {
                member,
                ty,
                converted,
                ..
            } = field;
            match converted {
                None => quote!(#member: <#ty as #krate::BinRead<#lifetime>>::bin_read(reader)?),
                Some(wire) => quote!(#member: #krate::convert::read_as::<#wire, #ty>(reader)?),
            }
        });
        quote!({ #(#fields),* })
    }

    /// A lower bound of a value's size. For variants it is that of the tag alone: a bound over
    /// the constructors could go round in circles for a recursive type.
    fn least_size(&self, body: &Body) -> TokenStream {
        match body {
            Body::Record(fields) | Body::Tuple(fields) => {
                let sizes = fields.iter().map(|field| self.least_size_of(field.wire()));
                quote!(#(#sizes)+*)
            }
            Body::Alias(field) => self.least_size_of(field.wire()),
            Body::Variant(constructors) => {
                let size = Literal::usize_unsuffixed(tag_bytes(constructors.len()));
                quote!(#size)
            }
            Body::Polymorphic(_) => quote!(4),
        }
    }

    fn least_size_of(&self, ty: &Type) -> TokenStream {
        let Self { krate, lifetime } = self;
        quote!(<#ty as #krate::BinRead<#lifetime>>::MIN_SIZE)
    }
}
