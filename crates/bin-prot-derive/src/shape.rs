//! `BinShape`: the structure, with the OCaml names.
//!
//! The body of a recursive type is written once for all its instances, so it must not mention
//! the type's parameters nor the type itself: in the types of its fields the former become
//! `Parameter<0>` and so on, the latter `Recursion<(arguments,)>`.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{GenericArgument, Ident, PathArguments, Type, TypePath, parse_quote};

use crate::input::{Arguments, Body, Constructor, Field, Identity, Input, Recursion};
use crate::substitute::{is_use_of, last_ident, replace, type_arguments};

pub(crate) fn impl_for(input: &Input) -> TokenStream {
    let Input { ident, krate, .. } = input;
    let generics = input.bounded(&parse_quote!(#krate::BinShape));
    let (_, type_generics, _) = input.generics.split_for_impl();
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let generator = Generator { input };
    let shape = generator.shape();
    let ends = generator.ends();
    let membership = generator.membership();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::BinShape for #ident #type_generics #where_clause {
            #ends

            fn bin_shape() -> #krate::shape::Shape {
                let () = Self::CIRCLES_ARE_DECLARED;
                #shape
            }
        }
        #membership
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
        let is_generic = self.input.generics.type_params().next().is_some();
        match &self.input.recursion {
            Recursion::Itself => {
                let arguments = self.arguments();
                quote! {{
                    static GROUP: ::std::sync::OnceLock<#krate::shape::Group> =
                        ::std::sync::OnceLock::new();
                    #krate::shape::recursive(&GROUP, #arguments, || #body)
                }}
            }
            Recursion::Group(members) => self.member(members),
            Recursion::None if is_generic => quote!(#krate::shape::Shape::instance(#body)),
            Recursion::None => body,
        }
    }

    /// The type as one of a group, applied to its parameters.
    fn member(&self, members: &[TypePath]) -> TokenStream {
        let krate = &self.input.krate;
        let own = members
            .iter()
            .position(|member| last_ident(member) == Some(&self.input.ident));
        let arguments = self.arguments();
        let definitions = members.iter().map(|member| {
            let ty = self.with_parameters(member);
            quote!((
                <#ty as #krate::shape::Member>::PARAMETERS,
                <#ty as #krate::shape::Member>::body(),
            ))
        });
        quote! {{
            static GROUP: ::std::sync::OnceLock<#krate::shape::Group> =
                ::std::sync::OnceLock::new();
            #krate::shape::mutually_recursive(&GROUP, #own, #arguments, || [#(#definitions),*])
        }}
    }

    /// A group's type with markers for its parameters.
    fn with_parameters(&self, member: &TypePath) -> TypePath {
        let mut member = member.clone();
        if let Some(segment) = member.path.segments.last_mut()
            && let PathArguments::AngleBracketed(arguments) = &mut segment.arguments
        {
            for (index, argument) in arguments.args.iter_mut().enumerate() {
                *argument = GenericArgument::Type(self.parameter(index));
            }
        }
        member
    }

    /// What the other types of the group need of this one, and a check that all list the same.
    fn membership(&self) -> TokenStream {
        let Input {
            ident,
            krate,
            generics,
            recursion: Recursion::Group(members),
            ..
        } = self.input
        else {
            return quote!();
        };
        let parameters = generics.type_params().count();
        let names: Vec<_> = members
            .iter()
            .filter_map(last_ident)
            .map(ToString::to_string)
            .collect();
        let checks = members.iter().map(|member| {
            let ty = self.with_parameters(member);
            let span = located(member.span());
            quote_spanned! {span=>
                const _: () = ::core::assert!(
                    #krate::shape::same_members(
                        <#ty as #krate::shape::Member>::MEMBERS,
                        &[#(#names),*],
                    ),
                    "the types of a group list the same types in the same order",
                );
            }
        });
        let body = self.body();
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #impl_generics #krate::shape::Member for #ident #type_generics #where_clause {
                const PARAMETERS: usize = #parameters;
                const MEMBERS: &'static [&'static str] = &[#(#names),*];

                fn body() -> #krate::shape::Shape {
                    #body
                }
            }

            #(#checks)*
        }
    }

    /// Looks at the same constant of every part, so that a circle of types that does not say so
    /// is one that the compiler finds.
    fn ends(&self) -> TokenStream {
        let krate = &self.input.krate;
        if let Identity::Base(_) = self.input.identity {
            return quote!();
        }
        let types = self.input.body.fields().into_iter().map(|field| {
            let ty = self.substituted(field.wire());
            let span = located(field.wire().span());
            quote_spanned!(span=> let () = <#ty as #krate::BinShape>::CIRCLES_ARE_DECLARED;)
        });
        quote! {
            const CIRCLES_ARE_DECLARED: () = {
                #(#types)*
            };
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
            Body::Alias(field) => self.of_type(field.wire()),
            Body::Tuple(fields) => self.tuple(fields),
            Body::Variant(constructors) => {
                let constructors = constructors.iter().map(
                    |Constructor {
                         name, arguments, ..
                     }| {
                        let arguments = match arguments {
                            Arguments::None => quote!(),
                            Arguments::Positional(fields) => {
                                let types = fields.iter().map(|field| self.of_type(field.wire()));
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
                         name,
                         arguments,
                         inherits,
                         ..
                     }| {
                        let argument = match arguments.fields() {
                            [field] if *inherits => {
                                let shape = self.of_type(field.wire());
                                return quote!(#krate::shape::Row::inherit(#shape));
                            }
                            [] => quote!(::core::option::Option::None),
                            [field] => {
                                let shape = self.of_type(field.wire());
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
        let fields = fields.iter().map(|field| {
            let Field { name, .. } = field;
            let shape = self.of_type(field.wire());
            quote!((#name, #shape))
        });
        quote!(#krate::shape::Shape::record([#(#fields),*]))
    }

    fn tuple(&self, fields: &[Field]) -> TokenStream {
        let krate = &self.input.krate;
        let types = fields.iter().map(|field| self.of_type(field.wire()));
        quote!(#krate::shape::Shape::tuple([#(#types),*]))
    }

    fn of_type(&self, ty: &Type) -> TokenStream {
        let krate = &self.input.krate;
        let ty = self.substituted(ty);
        quote!(<#ty as #krate::BinShape>::bin_shape())
    }

    fn substituted(&self, ty: &Type) -> Type {
        let mut ty = ty.clone();
        if self.input.recursion.is_declared() {
            replace(&mut ty, &mut |path| self.marker(path));
        }
        ty
    }

    /// The marker for a use of a parameter or of the type itself.
    fn marker(&self, path: &TypePath) -> Option<Type> {
        let krate = &self.input.krate;
        let member = match &self.input.recursion {
            Recursion::None => None,
            Recursion::Itself => is_use_of(path, &self.input.ident).then_some(0),
            Recursion::Group(members) => members.iter().position(|member| {
                let ident = last_ident(member);
                let is_self = path.path.is_ident("Self") && ident == Some(&self.input.ident);
                let is_named = !path.path.is_ident("Self")
                    && ident.is_some_and(|ident| is_use_of(path, ident));
                is_self || is_named
            }),
        };
        if let Some(member) = member {
            let arguments = if path.path.is_ident("Self") {
                let params = self.input.generics.type_params();
                params
                    .enumerate()
                    .map(|(index, _)| self.parameter(index))
                    .collect()
            } else {
                type_arguments(path)
            };
            let member = Literal::usize_unsuffixed(member);
            return Some(parse_quote!(#krate::shape::Recursion<(#(#arguments,)*), #member>));
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

/// The author's place, for messages, on generated code, which is none of the author's for lints.
fn located(place: Span) -> Span {
    Span::call_site().located_at(place)
}
