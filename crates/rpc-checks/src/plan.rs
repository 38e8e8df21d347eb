//! A compact notation of shapes, in which every sequence of bytes is a shape: for inputs that are
//! changed at random and should still mean something.
//!
//! A byte tells the kind of expression, further ones its names and parts. What is missing at the
//! end is 0. Types of groups and their parameters are called by their numbers.

use bin_prot::shape::{Definition, Group, Row, Shape};
use bin_prot::{ByteString, Sexp};

/// A shape, and what follows it.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The shape. It may be that of no type.
    pub shape: Shape,
    /// Whether all names are printable ASCII.
    pub has_plain_names: bool,
    /// The bytes behind it.
    pub rest: &'a [u8],
}

/// Basic types without arguments.
const BASES: &[&str] = &[
    "unit",
    "bool",
    "char",
    "float",
    "int",
    "int32",
    "int64",
    "nativeint",
    "int63",
    "nat0",
    "string",
    "bytes",
    "bigstring",
    "unit_v2",
    "int_8bit",
    "int_16bit",
    "int_32bit",
    "int_64bit",
    "int32_bits",
    "int64_bits",
    "network16_int",
    "network32_int",
    "network32_int32",
    "network64_int",
    "network64_int64",
    "variant_int",
    "floatarray",
    "vec",
    "float64_vec",
    "float32_vec",
    "mat",
    "float64_mat",
    "float32_mat",
    "digest",
    // Md5, an opaque blob, Date, Date.Option, and the index in a menu.
    "f6bdcdd0-9f75-11e6-9a7e-d3020428efed",
    "85a1f76e-490a-11e6-86a9-5bef585f2602",
    "899ee3e0-490a-11e6-a10a-a3734f733566",
    "826a3e79-3321-451a-9707-ed6c03b84e2f",
    "899e2f4a-490a-11e6-b68f-bbd62472516c",
    "no such type",
];

/// Basic types of one argument.
const OF_ONE: &[&str] = &[
    "option",
    "or_null",
    "list",
    "array",
    "ref",
    // Blob.
    "85a2557e-490a-11e6-98ac-4b8953d525fe",
    // Set, Set.Poly, Map, Map.Poly, Hashtbl, Hashtbl.Poly, Hash_set.
    "8989278e-4992-11e6-8f4a-6b89776b1e53",
    "88bcc478-4992-11e6-a95d-ff4831acf410",
    "dfb300f8-4992-11e6-9c15-73a2ac6b815c",
    "b7d7b1a0-4992-11e6-8a32-bbb221fa025c",
    "8fabab0a-4992-11e6-8cca-9ba2c4686d9e",
    "8f3e445c-4992-11e6-a279-3703be311e7b",
    "ad381672-4992-11e6-9e36-b76dc8cd466f",
    // Queue, Deque, Fdeque, Linked_queue.
    "b4c84254-4992-11e6-9ba7-734e154027bd",
    "34c1e9ca-4992-11e6-a686-8b4bd4f87796",
    "83f96982-4992-11e6-919d-fbddcfdca576",
    "800df9a0-4992-11e6-881d-ffe1a5c8aced",
    // The sequences of their elements.
    "6592371a-4994-11e6-923a-7748e4182764",
    "ac8a9ff4-4994-11e6-9a1b-9fb4e933bd9d",
    "b4e54ad2-4994-11e6-b8df-87c2997f9f52",
    // Percent and Percent.Option, versions 3 and 2.
    "b32f2a1e-6b43-11ed-b33b-aac2a563f10a",
    "e9b52028-6b45-11ed-a6b6-aac2a563f10a",
    "1d1e76bc-ea4b-11eb-a16a-aa5b28d1f4d7",
    "f7aa04e8-da3e-11ec-b546-aa7328433b70",
];

const BASE: u8 = 0;
const OF_ONE_BASE: u8 = 1;
const TUPLE: u8 = 2;
const RECORD: u8 = 3;
const VARIANT: u8 = 4;
const POLYMORPHIC: u8 = 5;
const ANNOTATE: u8 = 6;
const PARAMETER: u8 = 7;
const RECURSIVE_USE: u8 = 8;
const USE: u8 = 9;
const HASHTBL: u8 = 10;
const UNBOXED_TUPLE: u8 = 11;
const USE_AGAIN: u8 = 12;
const WIDE: u8 = 13;
const KINDS: u8 = 14;

/// How many parts of each sort an expression may have.
const PARTS: u8 = 32;
const NAME_LENGTH: u8 = 40;
const MEMBERS: u8 = 4;
const ARGUMENTS: u8 = 4;

const NO_ARGUMENT: u8 = 0;
const ARGUMENT: u8 = 1;
const INHERIT: u8 = 2;

/// The shape that some bytes begin with.
pub fn decode(bytes: &[u8]) -> Plan<'_> {
    let mut decoder = Decoder {
        rest: bytes,
        expressions_left: 1_000,
        levels_left: 60,
        groups: Vec::new(),
        reuses_left: 6,
        has_plain_names: true,
    };
    let shape = decoder.shape();
    Plan {
        shape,
        has_plain_names: decoder.has_plain_names,
        rest: decoder.rest,
    }
}

struct Decoder<'a> {
    rest: &'a [u8],
    expressions_left: usize,
    levels_left: usize,
    groups: Vec<Group>,
    /// Groups in groups, each used twice, make a text that nobody wants to see.
    reuses_left: usize,
    has_plain_names: bool,
}

impl Decoder<'_> {
    fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((byte, rest)) => {
                self.rest = rest;
                *byte
            }
            None => 0,
        }
    }

    fn name(&mut self) -> ByteString {
        let length = usize::from(self.byte() % NAME_LENGTH);
        let (name, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        self.has_plain_names &= name.iter().all(|byte| matches!(byte, b' '..=b'~'));
        name.into()
    }

    fn shape(&mut self) -> Shape {
        if self.expressions_left == 0 || self.levels_left == 0 {
            return Shape::base("unit", []);
        }
        self.expressions_left -= 1;
        self.levels_left -= 1;
        let shape = self.expression();
        self.levels_left += 1;
        shape
    }

    fn expression(&mut self) -> Shape {
        let index = |byte: u8, all: &[&'static str]| all[usize::from(byte) % all.len()];
        match self.byte() % KINDS {
            BASE => Shape::base(index(self.byte(), BASES), []),
            OF_ONE_BASE => Shape::base(index(self.byte(), OF_ONE), [self.shape()]),
            TUPLE => Shape::tuple(self.shapes(PARTS)),
            UNBOXED_TUPLE => Shape::unboxed_tuple(self.shapes(PARTS)),
            RECORD => Shape::record(self.parts(|this| (this.name(), this.shape()))),
            VARIANT => Shape::variant(self.parts(|this| (this.name(), this.shapes(PARTS)))),
            POLYMORPHIC => Shape::polymorphic_variant(self.parts(Self::row)),
            ANNOTATE => Shape::annotate(self.name(), self.shape()),
            PARAMETER => Shape::parameter((self.byte() % ARGUMENTS).to_string()),
            RECURSIVE_USE => {
                let member = self.byte() % MEMBERS;
                Shape::recursive_use(member.to_string(), self.shapes(ARGUMENTS))
            }
            USE => {
                let group = self.group();
                self.apply(&group)
            }
            USE_AGAIN => {
                let number = usize::from(self.byte());
                let group = self.groups.get(number % self.groups.len().max(1)).cloned();
                match (group, self.reuses_left) {
                    (Some(group), 1..) => {
                        self.reuses_left -= 1;
                        self.apply(&group)
                    }
                    _ => Shape::base("unit", []),
                }
            }
            HASHTBL => Shape::base("hashtbl", [self.shape(), self.shape()]),
            WIDE.. => {
                let constructors = u16::from_le_bytes([self.byte(), self.byte() % 4]);
                let mut constructors: Vec<_> = (0..constructors)
                    .map(|number| (format!("C{number}"), Vec::new()))
                    .collect();
                if let Some((_, arguments)) = constructors.last_mut() {
                    arguments.push(self.shape());
                }
                Shape::variant(constructors)
            }
        }
    }

    fn parts<T>(&mut self, part: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % PARTS).map(|_| part(self)).collect()
    }

    fn shapes(&mut self, bound: u8) -> Vec<Shape> {
        (0..self.byte() % bound).map(|_| self.shape()).collect()
    }

    fn row(&mut self) -> Row {
        match self.byte() % 3 {
            NO_ARGUMENT => Row::constructor(self.name(), None),
            ARGUMENT => Row::constructor(self.name(), Some(self.shape())),
            _ => Row::inherit(self.shape()),
        }
    }

    fn group(&mut self) -> Group {
        let members = 1 + self.byte() % MEMBERS;
        let definitions: Vec<_> = (0..members)
            .map(|member| {
                let parameters: Vec<_> = (0..self.byte() % ARGUMENTS)
                    .map(|parameter| parameter.to_string())
                    .collect();
                let parameters = parameters.iter().map(String::as_str);
                Definition::new(member.to_string(), parameters, self.shape())
            })
            .collect();
        let group = Group::new(definitions);
        self.groups.push(group.clone());
        group
    }

    fn apply(&mut self, group: &Group) -> Shape {
        let member = self.byte() % MEMBERS;
        group.apply(member.to_string(), self.shapes(ARGUMENTS))
    }
}

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
