//! `BinRead`: the parts in the order of their declaration.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::{Generics, Lifetime, Type, parse_quote};

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
    }
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
        let arms = constructors.iter().map(|constructor| {
            let tag = name::tag(&constructor.name);
            let value = self.constructor(constructor);
            quote!([#(#tag),*] => #value,)
        });
        quote! {
            match #krate::variant::read_polymorphic(reader)? {
                #(#arms)*
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
        let fields = fields.iter().map(|Field { member, ty, .. }| {
            quote!(#member: <#ty as #krate::BinRead<#lifetime>>::bin_read(reader)?)
        });
        quote!({ #(#fields),* })
    }

    /// A lower bound of a value's size. For variants it is that of the tag alone: a bound over
    /// the constructors could go round in circles for a recursive type.
    fn least_size(&self, body: &Body) -> TokenStream {
        match body {
            Body::Record(fields) | Body::Tuple(fields) => {
                let sizes = fields.iter().map(|field| self.least_size_of(&field.ty));
                quote!(#(#sizes)+*)
            }
            Body::Alias(field) => self.least_size_of(&field.ty),
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
