//! `BinShape`: the structure, with the OCaml names.
//!
//! The body of a recursive type is written once for all its instances, so it must not mention
//! the type's parameters nor the type itself: in the types of its fields the former become
//! `Parameter<0>` and so on, the latter `Recursion<(arguments,)>`.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::{Ident, Type, TypePath, parse_quote};

use crate::input::{Arguments, Body, Constructor, Field, Identity, Input};
use crate::substitute::{is_use_of, replace, type_arguments};

pub(crate) fn impl_for(input: &Input) -> TokenStream {
    let Input { ident, krate, .. } = input;
    let generics = input.bounded(&parse_quote!(#krate::BinShape));
    let (_, type_generics, _) = input.generics.split_for_impl();
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let shape = Generator { input }.shape();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::BinShape for #ident #type_generics #where_clause {
            fn bin_shape() -> #krate::shape::Shape {
                #shape
            }
        }
    }
}

struct Generator<'a> {
    input: &'a Input,
}

impl Generator<'_> {
    fn shape(&self) -> TokenStream {
        let krate = &self.input.krate;
        match &self.input.identity {
            Identity::None => self.application(),
            Identity::Annotate(id) => {
                let application = self.application();
                quote!(#krate::shape::Shape::annotate(#id, #application))
            }
            Identity::Base(id) => {
                let arguments = self.arguments();
                quote!(#krate::shape::Shape::base(#id, #arguments))
            }
        }
    }

    /// The type applied to its parameters.
    fn application(&self) -> TokenStream {
        let krate = &self.input.krate;
        let body = self.body();
        if self.input.recursive {
            let arguments = self.arguments();
            quote! {{
                static GROUP: ::std::sync::OnceLock<#krate::shape::Group> =
                    ::std::sync::OnceLock::new();
                #krate::shape::recursive(&GROUP, #arguments, || #body)
            }}
        } else if self.input.generics.type_params().next().is_some() {
            quote!(#krate::shape::Shape::instance(#body))
        } else {
            body
        }
    }

    fn arguments(&self) -> TokenStream {
        let krate = &self.input.krate;
        let params = self.input.generics.type_params().map(|param| &param.ident);
        quote!([#(<#params as #krate::BinShape>::bin_shape()),*])
    }

    fn body(&self) -> TokenStream {
        let krate = &self.input.krate;
        match &self.input.body {
            Body::Record(fields) => self.record(fields),
            Body::Alias(field) => self.of_type(&field.ty),
            Body::Tuple(fields) => self.tuple(fields),
            Body::Variant(constructors) => {
                let constructors = constructors.iter().map(
                    |Constructor {
                         name, arguments, ..
                     }| {
                        let arguments = match arguments {
                            Arguments::None => quote!(),
                            Arguments::Positional(fields) => {
                                let types = fields.iter().map(|field| self.of_type(&field.ty));
                                quote!(#(#types),*)
                            }
                            Arguments::InlineRecord(fields) => self.record(fields),
                        };
                        quote!((#name, ::std::vec![#arguments]))
                    },
                );
                // The type of the names cannot be inferred when there is none.
                quote!(#krate::shape::Shape::variant::<&str>([#(#constructors),*]))
            }
            Body::Polymorphic(constructors) => {
                let rows = constructors.iter().map(
                    |Constructor {
                         name, arguments, ..
                     }| {
                        let argument = match arguments.fields() {
                            [] => quote!(::core::option::Option::None),
                            [field] => {
                                let shape = self.of_type(&field.ty);
                                quote!(::core::option::Option::Some(#shape))
                            }
                            fields => {
                                let shape = self.tuple(fields);
                                quote!(::core::option::Option::Some(#shape))
                            }
                        };
                        quote!(#krate::shape::Row::constructor(#name, #argument))
                    },
                );
                quote!(#krate::shape::Shape::polymorphic_variant([#(#rows),*]))
            }
        }
    }

    fn record(&self, fields: &[Field]) -> TokenStream {
        let krate = &self.input.krate;
        let fields = fields.iter().map(|Field { name, ty, .. }| {
            let shape = self.of_type(ty);
            quote!((#name, #shape))
        });
        quote!(#krate::shape::Shape::record([#(#fields),*]))
    }

    fn tuple(&self, fields: &[Field]) -> TokenStream {
        let krate = &self.input.krate;
        let types = fields.iter().map(|field| self.of_type(&field.ty));
        quote!(#krate::shape::Shape::tuple([#(#types),*]))
    }

    fn of_type(&self, ty: &Type) -> TokenStream {
        let krate = &self.input.krate;
        let ty = self.substituted(ty);
        quote!(<#ty as #krate::BinShape>::bin_shape())
    }

    fn substituted(&self, ty: &Type) -> Type {
        let mut ty = ty.clone();
        if self.input.recursive {
            replace(&mut ty, &mut |path| self.marker(path));
        }
        ty
    }

    /// The marker for a use of a parameter or of the type itself.
    fn marker(&self, path: &TypePath) -> Option<Type> {
        let krate = &self.input.krate;
        if is_use_of(path, &self.input.ident) {
            let arguments = if path.path.is_ident("Self") {
                let params = self.input.generics.type_params();
                params
                    .enumerate()
                    .map(|(index, _)| self.parameter(index))
                    .collect()
            } else {
                type_arguments(path)
            };
            return Some(parse_quote!(#krate::shape::Recursion<(#(#arguments,)*)>));
        }
        let index = self.input.generics.type_params().position(|param| {
            path.path
                .get_ident()
                .is_some_and(|ident: &Ident| *ident == param.ident)
        })?;
        Some(self.parameter(index))
    }

    fn parameter(&self, index: usize) -> Type {
        let krate = &self.input.krate;
        let index = Literal::usize_unsuffixed(index);
        parse_quote!(#krate::shape::Parameter<#index>)
    }
}
