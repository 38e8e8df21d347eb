//! From shapes to bytes, for corpora: of shapes that the notation has room for.

use bin_prot::Sexp;

use super::codes::{
    ANNOTATE, ARGUMENT, ARGUMENTS, BASE, BASES, HASHTBL, INHERIT, MEMBERS, NAME_LENGTH,
    NO_ARGUMENT, OF_ONE, OF_ONE_BASE, PARAMETER, PARTS, POLYMORPHIC, RECORD, RECURSIVE_USE, TUPLE,
    UNBOXED_TUPLE, USE, VARIANT,
};

/// The compact notation of a shape, from its S-expression; `None` if it has no room for it.
pub fn encode(shape: &Sexp) -> Option<Vec<u8>> {
    let mut plan = Vec::new();
    Encoder { plan: &mut plan }.shape(shape, &[], &[])?;
    Some(plan)
}

struct Encoder<'p> {
    plan: &'p mut Vec<u8>,
}

/// Names, in the order of their numbers.
type Names<'a> = &'a [&'a Sexp];

impl Encoder<'_> {
    fn count(&mut self, count: usize, bound: u8) -> Option<()> {
        let count = u8::try_from(count).ok().filter(|count| *count < bound)?;
        self.plan.push(count);
        Some(())
    }

    fn name(&mut self, name: &Sexp) -> Option<()> {
        let Sexp::Atom(name) = name else { return None };
        self.count(name.as_bytes().len(), NAME_LENGTH)?;
        self.plan.extend_from_slice(name.as_bytes());
        Some(())
    }

    fn number(&mut self, name: &Sexp, names: Names<'_>) -> Option<()> {
        let number = names.iter().position(|other| *other == name)?;
        self.count(number, MEMBERS)
    }

    fn shape(&mut self, shape: &Sexp, members: Names<'_>, parameters: Names<'_>) -> Option<()> {
        let (tag, parts) = list(shape)?.split_first()?;
        match (text(tag)?, parts) {
            ("Base", [name, arguments]) => {
                let name = text(name)?;
                let find = |all: &[&str]| {
                    let number = all.iter().position(|other| *other == name)?;
                    u8::try_from(number).ok()
                };
                let arguments = list(arguments)?;
                match arguments {
                    [] => self.plan.extend([BASE, find(BASES)?]),
                    [_] => self.plan.extend([OF_ONE_BASE, find(OF_ONE)?]),
                    [_, _] if name == "hashtbl" => self.plan.push(HASHTBL),
                    _ => return None,
                }
                arguments
                    .iter()
                    .try_for_each(|part| self.shape(part, members, parameters))
            }
            ("Tuple", [parts]) => {
                self.plan.push(TUPLE);
                self.shapes(parts, PARTS, members, parameters)
            }
            ("Unboxed_tuple", [parts]) => {
                self.plan.push(UNBOXED_TUPLE);
                self.shapes(parts, PARTS, members, parameters)
            }
            ("Record", [fields]) => {
                self.plan.push(RECORD);
                let fields = list(fields)?;
                self.count(fields.len(), PARTS)?;
                fields.iter().try_for_each(|field| {
                    let [name, part] = list(field)? else {
                        return None;
                    };
                    self.name(name)?;
                    self.shape(part, members, parameters)
                })
            }
            ("Variant", [constructors]) => {
                self.plan.push(VARIANT);
                let constructors = list(constructors)?;
                self.count(constructors.len(), PARTS)?;
                constructors.iter().try_for_each(|constructor| {
                    let [name, parts] = list(constructor)? else {
                        return None;
                    };
                    self.name(name)?;
                    self.shapes(parts, PARTS, members, parameters)
                })
            }
            ("Poly_variant", [rows]) => {
                self.plan.push(POLYMORPHIC);
                let rows = list(list(rows)?.get(1)?)?;
                self.count(rows.len(), PARTS)?;
                rows.iter()
                    .try_for_each(|row| self.row(row, members, parameters))
            }
            ("Annotate", [id, part]) => {
                self.plan.push(ANNOTATE);
                self.name(id)?;
                self.shape(part, members, parameters)
            }
            ("Var", [name]) => {
                self.plan.push(PARAMETER);
                self.number(list(name)?.get(1)?, parameters)
            }
            ("Rec_app", [name, arguments]) => {
                self.plan.push(RECURSIVE_USE);
                self.number(name, members)?;
                self.shapes(arguments, ARGUMENTS, members, parameters)
            }
            ("Top_app", [group, name, arguments]) => {
                self.plan.push(USE);
                let definitions = list(list(list(group)?.get(2)?)?.get(1)?)?;
                self.group(definitions)?;
                let names: Option<Vec<_>> = definitions
                    .iter()
                    .map(|definition| list(definition)?.first())
                    .collect();
                self.number(name, &names?)?;
                self.shapes(arguments, ARGUMENTS, members, parameters)
            }
            _ => None,
        }
    }

    fn shapes(
        &mut self,
        shapes: &Sexp,
        bound: u8,
        members: Names<'_>,
        parameters: Names<'_>,
    ) -> Option<()> {
        let shapes = list(shapes)?;
        self.count(shapes.len(), bound)?;
        shapes
            .iter()
            .try_for_each(|shape| self.shape(shape, members, parameters))
    }

    fn row(&mut self, row: &Sexp, members: Names<'_>, parameters: Names<'_>) -> Option<()> {
        let [tag, row] = list(row)? else { return None };
        match (text(tag)?, list(row)?) {
            ("Constr", [name, argument]) => match list(argument)? {
                [] => {
                    self.plan.push(NO_ARGUMENT);
                    self.name(name)
                }
                [argument] => {
                    self.plan.push(ARGUMENT);
                    self.name(name)?;
                    self.shape(argument, members, parameters)
                }
                _ => None,
            },
            ("Inherit", [_, shape]) => {
                self.plan.push(INHERIT);
                self.shape(shape, members, parameters)
            }
            _ => None,
        }
    }

    fn group(&mut self, definitions: &[Sexp]) -> Option<()> {
        self.count(definitions.len().checked_sub(1)?, MEMBERS)?;
        let names: Option<Vec<_>> = definitions
            .iter()
            .map(|definition| list(definition)?.first())
            .collect();
        let names = names?;
        definitions.iter().try_for_each(|definition| {
            let [_, definition] = list(definition)? else {
                return None;
            };
            let [parameters, body] = list(definition)? else {
                return None;
            };
            let parameters: Vec<_> = list(parameters)?.iter().collect();
            self.count(parameters.len(), ARGUMENTS)?;
            self.shape(body, &names, &parameters)
        })
    }
}

fn list(sexp: &Sexp) -> Option<&[Sexp]> {
    match sexp {
        Sexp::List(items) => Some(items),
        Sexp::Atom(_) => None,
    }
}

fn text(sexp: &Sexp) -> Option<&str> {
    match sexp {
        Sexp::Atom(atom) => str::from_utf8(atom.as_bytes()).ok(),
        Sexp::List(_) => None,
    }
}
