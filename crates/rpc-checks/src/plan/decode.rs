//! From bytes to shapes: never fails.

use bin_prot::ByteString;
use bin_prot::shape::{Definition, Group, Row, Shape};

use super::Plan;
use super::codes::{
    ANNOTATE, ARGUMENT, ARGUMENTS, BASE, BASES, HASHTBL, KINDS, MEMBERS, NAME_LENGTH, NO_ARGUMENT,
    OF_ONE, OF_ONE_BASE, PARAMETER, PARTS, POLYMORPHIC, RECORD, RECURSIVE_USE, TUPLE,
    UNBOXED_TUPLE, USE, USE_AGAIN, VARIANT, WIDE,
};

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
