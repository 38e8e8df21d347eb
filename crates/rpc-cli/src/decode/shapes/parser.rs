//! From the text of a shapes file to its declarations.
//!
//! ```text
//! file       ::= { type | rpc }
//! type       ::= `type` [`nonrec`] definition { `and` definition }
//! definition ::= [parameters] NAME `=` body
//! body       ::= record | variant | expression          ( a body after `private` or `u =`, too )
//! record     ::= `{` [`mutable`] FIELD `:` expression { `;` … } `}`
//! variant    ::= [`|`] NAME [`of` ( record | applied { `*` applied } )] { `|` … }
//! expression ::= applied { `*` applied }
//! applied    ::= ( NAME | 'NAME | `(` expression { `,` expression } `)` | rows ) { NAME }
//! rows       ::= `[` [`|`] row { `|` row } `]`
//! row        ::= `` ` `` NAME [`of` expression] | expression
//! rpc        ::= `rpc`     RPC VERSION `:` expression `->` expression
//!              | `one-way` RPC VERSION `:` expression
//!              | `pipe`    RPC VERSION `:` expression `->` expression `,` `error` expression
//!              | `state`   RPC VERSION `:` expression `->` expression `,` expression `,` `error` expression
//! ```

use rpc_wire::Description;

use super::scanner::{Place, Scanner, SyntaxError};
use super::signature::Signature;
use super::syntax::{Definition, Expression, Item, Row, Rpc};

type Result<T, E = SyntaxError> = std::result::Result<T, E>;

/// The declarations of a file, in their order.
pub(super) fn parse(text: &str) -> Result<Vec<Item<'_>>> {
    let mut parser = Parser {
        scanner: Scanner::new(text),
        depth: 0,
    };
    let mut items = Vec::new();
    while !parser.scanner.is_at_end()? {
        items.push(parser.item()?);
    }
    Ok(items)
}

/// How deep expressions may be nested.
const LEVELS: usize = 100;

/// Words that are no types.
const RESERVED: [&str; 8] = [
    "and",
    "constraint",
    "mutable",
    "nonrec",
    "of",
    "private",
    "type",
    "with",
];

/// What begins the declaration of an RPC.
const KINDS: [&str; 4] = ["rpc", "one-way", "pipe", "state"];

struct Parser<'t> {
    scanner: Scanner<'t>,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn item(&mut self) -> Result<Item<'t>> {
        if self.scanner.eat_word("type")? {
            let is_recursive = !self.scanner.eat_word("nonrec")?;
            let mut definitions = vec![self.definition()?];
            while self.scanner.eat_word("and")? {
                definitions.push(self.definition()?);
            }
            return Ok(Item::Types {
                definitions,
                is_recursive,
            });
        }
        let mut ahead = self.scanner.clone();
        let kind = ahead.up_to_blank()?;
        if !KINDS.contains(&kind) {
            let what = "`type`, `rpc`, `one-way`, `pipe` or `state`";
            return Err(self.scanner.expected(what)?);
        }
        self.scanner = ahead;
        self.rpc(kind)
    }

    fn rpc(&mut self, kind: &str) -> Result<Item<'t>> {
        let place = self.scanner.place()?;
        let name = self.scanner.name()?;
        let Some(version) = self.scanner.integer()? else {
            return Err(self.scanner.expected("the RPC's version")?);
        };
        self.scanner.expect(":")?;
        let query = self.expression()?;
        let signature = match kind {
            "one-way" => Signature::OneWay { message: query },
            "rpc" => {
                self.scanner.expect("->")?;
                let response = self.expression()?;
                Signature::Plain { query, response }
            }
            // A pipe RPC is a state RPC whose state is unit.
            _ => {
                self.scanner.expect("->")?;
                let first = self.expression()?;
                let (initial, update) = match kind {
                    "pipe" => (Expression::Unit, first),
                    _ => {
                        self.scanner.expect(",")?;
                        (first, self.expression()?)
                    }
                };
                self.scanner.expect(",")?;
                if !self.scanner.eat_word("error")? {
                    return Err(self.scanner.expected("`error` and its type")?);
                }
                let error = self.expression()?;
                Signature::Stream {
                    query,
                    initial,
                    update,
                    error,
                }
            }
        };
        Ok(Item::Rpc(Box::new(Rpc {
            description: Description::new(name, version),
            place,
            signature,
        })))
    }

    fn definition(&mut self) -> Result<Definition<'t>> {
        let mut parameters = Vec::new();
        if self.scanner.eat("(")? {
            loop {
                parameters.push(self.parameter()?);
                if !self.scanner.eat(",")? {
                    break;
                }
            }
            self.scanner.expect(")")?;
        } else if self.is_parameter()? {
            parameters.push(self.parameter()?);
        }
        let place = self.scanner.place()?;
        let Some((name, _)) = self.type_name()? else {
            return Err(self.scanner.expected("the type's name")?);
        };
        self.scanner.expect("=")?;
        let mut body = self.body()?;
        // What follows says what the type is; the first was only another name of it.
        if self.scanner.eat("=")? {
            body = self.body()?;
        }
        Ok(Definition {
            name,
            place,
            parameters,
            body,
        })
    }

    fn is_parameter(&self) -> Result<bool> {
        let mut ahead = self.scanner.clone();
        Ok(ahead.eat("'")? || ahead.eat("+")? || ahead.eat("-")?)
    }

    /// `'a`, also with its variance.
    fn parameter(&mut self) -> Result<&'t str> {
        let _is_covariant = self.scanner.eat("+")? || self.scanner.eat("-")?;
        self.scanner.expect("'")?;
        match self.scanner.word()? {
            Some(name) => Ok(name),
            None => Err(self.scanner.expected("the parameter's name")?),
        }
    }

    fn body(&mut self) -> Result<Expression<'t>> {
        self.scanner.eat_word("private")?;
        if self.is_record()? {
            self.record()
        } else if self.is_variant()? {
            self.variant()
        } else {
            self.expression()
        }
    }

    fn is_record(&self) -> Result<bool> {
        self.scanner.clone().eat("{")
    }

    /// Whether constructors follow: `|`, or a capitalised name that is no module's.
    fn is_variant(&self) -> Result<bool> {
        let mut ahead = self.scanner.clone();
        if ahead.eat("|")? {
            return Ok(true);
        }
        let is_capitalised = ahead.word()?.is_some_and(is_capitalised);
        Ok(is_capitalised && !ahead.eat(".")?)
    }

    fn record(&mut self) -> Result<Expression<'t>> {
        self.deeper(|parser| {
            let mut fields = Vec::new();
            parser.scanner.expect("{")?;
            loop {
                parser.scanner.eat_word("mutable")?;
                let Some(name) = parser.scanner.word()? else {
                    return Err(parser.scanner.expected("a field")?);
                };
                parser.scanner.expect(":")?;
                fields.push((name, parser.expression()?));
                let goes_on = parser.scanner.eat(";")?;
                if parser.scanner.eat("}")? {
                    return Ok(Expression::Record(fields));
                }
                if !goes_on {
                    return Err(parser.scanner.expected("`;` or `}`")?);
                }
            }
        })
    }

    fn variant(&mut self) -> Result<Expression<'t>> {
        let mut constructors = Vec::new();
        let begins_with_bar = self.scanner.eat("|")?;
        loop {
            let name = self.scanner.peek()?.filter(|word| is_capitalised(word));
            let Some(name) = name else {
                // `type t = |` has no values.
                if begins_with_bar && constructors.is_empty() {
                    break;
                }
                return Err(self.scanner.expected("a constructor")?);
            };
            self.scanner.eat_word(name)?;
            let mut arguments = Vec::new();
            if self.scanner.eat_word("of")? {
                if self.is_record()? {
                    arguments.push(self.record()?);
                } else {
                    arguments.push(self.applied()?);
                    while self.scanner.eat("*")? {
                        arguments.push(self.applied()?);
                    }
                }
            }
            constructors.push((name, arguments));
            if !self.scanner.eat("|")? {
                break;
            }
        }
        Ok(Expression::Variant(constructors))
    }

    fn expression(&mut self) -> Result<Expression<'t>> {
        self.deeper(|parser| {
            let first = parser.applied()?;
            let mut parts = vec![first];
            while parser.scanner.eat("*")? {
                parts.push(parser.applied()?);
            }
            Ok(match parts.pop() {
                Some(only) if parts.is_empty() => only,
                last => {
                    parts.extend(last);
                    Expression::Tuple(parts)
                }
            })
        })
    }

    /// A type, and the types that are applied to it: `int list option`.
    fn applied(&mut self) -> Result<Expression<'t>> {
        let mut expression = self.simple()?;
        while let Some((name, place)) = self.type_name()? {
            expression = Expression::Named {
                name,
                place,
                arguments: vec![expression],
            };
        }
        Ok(expression)
    }

    fn simple(&mut self) -> Result<Expression<'t>> {
        let place = self.scanner.place()?;
        if self.scanner.eat("'")? {
            return match self.scanner.word()? {
                Some(name) => Ok(Expression::Parameter(name, place)),
                None => Err(self.scanner.expected("the parameter's name")?),
            };
        }
        if self.scanner.eat("(")? {
            let first = self.expression()?;
            let mut arguments = vec![first];
            while self.scanner.eat(",")? {
                arguments.push(self.expression()?);
            }
            self.scanner.expect(")")?;
            if let [_, _, ..] = arguments.as_slice() {
                return match self.type_name()? {
                    Some((name, place)) => Ok(Expression::Named {
                        name,
                        place,
                        arguments,
                    }),
                    None => Err(self.scanner.expected("a type of several parameters")?),
                };
            }
            return match arguments.pop() {
                Some(only) => Ok(only),
                None => Err(self.scanner.expected("a type")?),
            };
        }
        if self.scanner.eat("[")? {
            return self.rows();
        }
        match self.type_name()? {
            Some((name, place)) => Ok(Expression::Named {
                name,
                place,
                arguments: Vec::new(),
            }),
            None => Err(self.scanner.expected("a type")?),
        }
    }

    /// The rest of a polymorphic variant, behind its `[`.
    fn rows(&mut self) -> Result<Expression<'t>> {
        let mut rows = Vec::new();
        self.scanner.eat("|")?;
        loop {
            rows.push(if self.scanner.eat("`")? {
                let Some(name) = self.scanner.word()? else {
                    return Err(self.scanner.expected("a constructor")?);
                };
                let argument = match self.scanner.eat_word("of")? {
                    true => Some(self.expression()?),
                    false => None,
                };
                Row::Constructor(name, argument)
            } else {
                Row::Inherit(self.expression()?)
            });
            if !self.scanner.eat("|")? {
                break;
            }
        }
        self.scanner.expect("]")?;
        Ok(Expression::Polymorphic(rows))
    }

    /// A type's name, with those of its modules: `Time_ns.Span.t`.
    fn type_name(&mut self) -> Result<Option<(String, Place)>> {
        let place = self.scanner.place()?;
        if self.is_reserved()? || self.is_rpc()? {
            return Ok(None);
        }
        let mut name = String::new();
        while let Some(word) = self.scanner.word()? {
            name.push_str(word);
            if !is_capitalised(word) {
                return Ok(Some((name, place)));
            }
            self.scanner.expect(".")?;
            name.push('.');
        }
        match name.as_str() {
            "" => Ok(None),
            _ => Err(self.scanner.expected("the type's name")?),
        }
    }

    fn is_reserved(&mut self) -> Result<bool> {
        let word = self.scanner.peek()?;
        Ok(word.is_some_and(|word| RESERVED.contains(&word)))
    }

    /// Whether the declaration of an RPC follows. Its kind alone may also be a type's name.
    fn is_rpc(&self) -> Result<bool> {
        let mut ahead = self.scanner.clone();
        let is_kind = KINDS.contains(&ahead.up_to_blank()?);
        Ok(is_kind && ahead.name().is_ok() && ahead.integer()?.is_some())
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == LEVELS {
            let place = self.scanner.place()?;
            let problem = format!("nested deeper than {LEVELS} levels");
            return Err(self.scanner.error(place, problem));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }
}

fn is_capitalised(word: &str) -> bool {
    word.starts_with(|char: char| char.is_ascii_uppercase())
}
