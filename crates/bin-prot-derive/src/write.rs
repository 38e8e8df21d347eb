//! `BinWrite`: the exact size, then the parts in the order of their declaration.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::parse_quote;

use crate::input::{Body, Constructor, Field, Input, tag_bytes};
use crate::name;

pub(crate) fn impl_for(input: &Input) -> TokenStream {
    let Input { ident, krate, .. } = input;
    let generics = input.bounded(&parse_quote!(#krate::BinWrite));
    let (_, type_generics, _) = input.generics.split_for_impl();
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let write = Write {
        krate: quote!(#krate),
    };
    let (size, bytes) = match &input.body {
        Body::Record(fields) | Body::Tuple(fields) => write.product(fields),
        Body::Alias(field) => write.product(std::slice::from_ref(field)),
        Body::Variant(constructors) => write.variant(constructors),
        Body::Polymorphic(constructors) => write.polymorphic(constructors),
    };
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::BinWrite for #ident #type_generics #where_clause {
            #[inline]
            fn bin_size(&self) -> usize {
                #size
            }

            #[inline]
            fn bin_write(
                &self,
                buffer: &mut ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<(), #krate::WriteError> {
                #bytes
            }
        }
    }
}

struct Write {
    krate: TokenStream,
}

/// The bodies of `bin_size` and of `bin_write`.
type Bodies = (TokenStream, TokenStream);

impl Write {
    fn product(&self, fields: &[Field]) -> Bodies {
        let pattern = pattern(fields);
        let sizes = self.sizes(fields);
        let writes = self.writes(fields);
        (
            quote!(let Self #pattern = self; #(#sizes)+*),
            quote!(let Self #pattern = self; #(#writes)* ::core::result::Result::Ok(())),
        )
    }

    fn variant(&self, constructors: &[Constructor]) -> Bodies {
        let bytes = tag_bytes(constructors.len());
        self.arms(constructors, bytes, |number, _| match bytes {
            1 => {
                let number = Literal::usize_unsuffixed(number);
                quote!(buffer.push(#number);)
            }
            _ => {
                let [low, high, ..] = number.to_le_bytes();
                quote!(buffer.extend_from_slice(&[#low, #high]);)
            }
        })
    }

    fn polymorphic(&self, constructors: &[Constructor]) -> Bodies {
        self.arms(constructors, 4, |_, name| {
            let tag = name::tag(name);
            quote!(buffer.extend_from_slice(&[#(#tag),*]);)
        })
    }

    fn arms(
        &self,
        constructors: &[Constructor],
        tag_bytes: usize,
        write_tag: impl Fn(usize, &str) -> TokenStream,
    ) -> Bodies {
        if constructors.is_empty() {
            return (
                quote!(match *self {}),
                quote!(let _ = buffer; match *self {}),
            );
        }
        let tag_bytes = Literal::usize_unsuffixed(tag_bytes);
        let (sizes, writes): (Vec<_>, Vec<_>) = constructors
            .iter()
            .enumerate()
            .map(|(number, constructor)| {
                let Constructor {
                    ident,
                    name,
                    arguments,
                    inherits,
                    ..
                } = constructor;
                let fields = arguments.fields();
                let pattern = pattern(fields);
                let sizes = self.sizes(fields);
                let writes = self.write_arguments(fields);
                let (tag_bytes, tag) = match inherits {
                    // What is included writes its tag itself.
                    true => (quote!(0), quote!()),
                    false => (quote!(#tag_bytes), write_tag(number, name)),
                };
                (
                    quote!(Self::#ident #pattern => #tag_bytes #(+ #sizes)*,),
                    quote!(Self::#ident #pattern => { #tag #writes }),
                )
            })
            .unzip();
        (
            quote!(match self { #(#sizes)* }),
            quote!(match self { #(#writes)* }),
        )
    }

    /// The end of a constructor's arm. Arguments are written in a function of their own, so that
    /// the arms do not add up to one large stack frame.
    fn write_arguments(&self, fields: &[Field]) -> TokenStream {
        let krate = &self.krate;
        let writes = self.writes(fields);
        match fields {
            [] => quote!(::core::result::Result::Ok(())),
            _ => quote! {
                #krate::variant::write_arguments(buffer, |buffer| {
                    #(#writes)*
                    ::core::result::Result::Ok(())
                })
            },
        }
    }

    fn sizes(&self, fields: &[Field]) -> Vec<TokenStream> {
        let krate = &self.krate;
        fields
            .iter()
            .map(|field| {
                let Field { variable, ty, .. } = field;
                match &field.converted {
                    None => quote!(<#ty as #krate::BinWrite>::bin_size(#variable)),
                    Some(wire) => quote!(#krate::convert::size_as::<#wire, #ty>(#variable)),
                }
            })
            .collect()
    }

    fn writes(&self, fields: &[Field]) -> Vec<TokenStream> {
        let krate = &self.krate;
        fields
            .iter()
            .map(|field| {
                let Field { variable, ty, .. } = field;
                match &field.converted {
                    None => quote!(<#ty as #krate::BinWrite>::bin_write(#variable, buffer)?;),
                    Some(wire) => {
                        quote!(#krate::convert::write_as::<#wire, #ty>(#variable, buffer)?;)
                    }
                }
            })
            .collect()
    }
}

/// `{ a: field0, b: field1 }`, which Rust also takes for positional fields and for none.
fn pattern(fields: &[Field]) -> TokenStream {
    let fields = fields.iter().map(
        |Field {
             member, variable, ..
         }| quote!(#member: #variable),
    );
    quote!({ #(#fields),* })
}
