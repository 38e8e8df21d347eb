//! The types that vectors name: each from the shape in its `digest` vector.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bin_prot::Reader;
use bin_prot::dynamic::Type;
use bin_prot::shape::{Digest, Shape};
use rpc_testkit::golden::Vector;

use crate::report::{Checked, Problem};
use crate::shape;

/// How deep values may nest: more than the libraries allow by default. The thread that runs the
/// checks has the stack for it.
const DEPTH: u32 = 5_000;

/// A reader of a value.
pub(crate) fn reader(bytes: &[u8]) -> Reader<'_> {
    Reader::new(bytes).with_depth(DEPTH)
}

/// A type, or why its shape gives none.
type Entry = Result<Rc<Type>, String>;

/// The types of some files, in the order in which they are searched.
#[derive(Debug)]
pub(crate) struct Types {
    files: Vec<HashMap<String, Entry>>,
    by_digest: HashMap<Digest, Rc<Type>>,
    basic: RefCell<HashMap<String, Option<Rc<Type>>>>,
}

impl Types {
    /// The types that the files' `digest` vectors describe. Of two with one key the first counts.
    pub(crate) fn new<'v>(files: impl IntoIterator<Item = Vec<&'v Vector>>) -> Self {
        let mut by_digest = HashMap::new();
        let mut types = |vectors: Vec<&Vector>| {
            let mut types = HashMap::new();
            for vector in vectors.iter().filter(|vector| vector.kind == "digest") {
                let (entry, digest) = compiled(vector);
                if let (Ok(ty), Some(digest)) = (&entry, digest) {
                    by_digest.entry(digest).or_insert_with(|| Rc::clone(ty));
                }
                types.entry(vector.type_name.clone()).or_insert(entry);
            }
            types
        };
        Self {
            files: files.into_iter().map(&mut types).collect(),
            by_digest,
            basic: RefCell::default(),
        }
    }

    /// The type of a key, for a vector in the file of this number: from that file, from another
    /// one, or a basic type of that name.
    pub(crate) fn get(&self, file: usize, key: &str) -> Checked<Rc<Type>> {
        let own = self.files.get(file).into_iter();
        let found = own.chain(&self.files).find_map(|types| types.get(key));
        match found {
            Some(Ok(ty)) => Ok(Rc::clone(ty)),
            Some(Err(why)) => Err(Problem::differs(
                format!("type {key:?}"),
                "a shape whose values can be read",
                why,
            )),
            None => self.basic(key).ok_or_else(|| {
                let why = format!("no digest vector has the type {key:?}, nor is it a basic type");
                Problem::Unchecked(why)
            }),
        }
    }

    /// The type with a digest, if a vector describes it.
    pub(crate) fn with_digest(&self, digest: Digest) -> Option<&Type> {
        self.by_digest.get(&digest).map(Rc::as_ref)
    }

    fn basic(&self, name: &str) -> Option<Rc<Type>> {
        let compile = || compile(&Shape::base(name, [])).ok();
        let mut basic = self.basic.borrow_mut();
        basic.entry(name.to_owned()).or_insert_with(compile).clone()
    }
}

/// The type that a vector describes, and the digest that we compute for it.
fn compiled(vector: &Vector) -> (Entry, Option<Digest>) {
    let shape = vector.field("shape").map_err(Problem::from);
    match shape.and_then(|json| shape::parse(json, vector.fields.get("groups"))) {
        Ok(shape) => (compile(&shape), shape.digest().ok()),
        Err(problem) => (Err(problem.to_string()), None),
    }
}

fn compile(shape: &Shape) -> Entry {
    let ty = Type::new(shape).map_err(|error| error.to_string())?;
    Ok(Rc::new(ty.with_depth(DEPTH)))
}
