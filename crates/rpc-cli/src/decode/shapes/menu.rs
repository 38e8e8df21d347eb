//! Shapes as `__Versioned_rpc.Shape_menu` tells them: an S-expression for each RPC.
//!
//! ```text
//! (((name echo) (version 1)) (Rpc (query (Base string ())) (response (Base string ()))))
//! (((name log) (version 1)) (One_way (msg (Base string ()))))
//! (((name count) (version 1))
//!  (Streaming_rpc (query …) (initial_response (Base unit ())) (update_response …) (error …)))
//! (((name other) (version 1)) Unknown)
//! ```

use bin_prot::Sexp;
use bin_prot::shape::Shape;
use rpc_wire::Description;

use super::signature::Signature;

/// The RPCs of one or more menus; those of unknown shapes are left out.
pub(super) fn parse(sexps: &[Sexp]) -> Result<Vec<(Description, Signature<Shape>)>, String> {
    let mut rpcs = Vec::new();
    for sexp in sexps {
        match entry(sexp) {
            Ok(rpc) => rpcs.extend(rpc),
            // The whole answer is a list of entries.
            Err(problem) => match sexp {
                Sexp::List(entries) if entries.iter().all(|entry| entry_parts(entry).is_some()) => {
                    for sexp in entries {
                        rpcs.extend(entry(sexp)?);
                    }
                }
                Sexp::List(_) | Sexp::Atom(_) => return Err(problem),
            },
        }
    }
    Ok(rpcs)
}

fn entry_parts(sexp: &Sexp) -> Option<(Description, &Sexp)> {
    let [description, shapes] = list(sexp)? else {
        return None;
    };
    let name = field(list(description)?, "name")?;
    let version = field(list(description)?, "version")?;
    let (Sexp::Atom(name), Sexp::Atom(version)) = (name, version) else {
        return None;
    };
    let version = version.to_string().parse().ok()?;
    Some((Description::new(name.clone(), version), shapes))
}

fn entry(sexp: &Sexp) -> Result<Option<(Description, Signature<Shape>)>, String> {
    let Some((description, shapes)) = entry_parts(sexp) else {
        let text = sexp.to_string();
        let start: String = text.chars().take(60).collect();
        return Err(format!(
            "expected (((name NAME) (version N)) SHAPES), found {start}"
        ));
    };
    if *shapes == Sexp::atom("Unknown") {
        return Ok(None);
    }
    let expected =
        || format!("{description}: expected (Rpc …), (One_way …), (Streaming_rpc …) or Unknown");
    let Some([Sexp::Atom(kind), fields @ ..]) = list(shapes) else {
        return Err(expected());
    };
    let shape = |name: &str| {
        let sexp =
            field(fields, name).ok_or_else(|| format!("{description}: no shape of {name}"))?;
        Shape::from_sexp(sexp).map_err(|error| format!("{description}, {name}: {error}"))
    };
    let signature = match kind.as_bytes() {
        b"Rpc" => Signature::Plain {
            query: shape("query")?,
            response: shape("response")?,
        },
        b"One_way" => Signature::OneWay {
            message: shape("msg")?,
        },
        b"Streaming_rpc" => Signature::Stream {
            query: shape("query")?,
            initial: shape("initial_response")?,
            update: shape("update_response")?,
            error: shape("error")?,
        },
        _ => return Err(expected()),
    };
    Ok(Some((description, signature)))
}

fn list(sexp: &Sexp) -> Option<&[Sexp]> {
    match sexp {
        Sexp::List(items) => Some(items),
        Sexp::Atom(_) => None,
    }
}

/// The value of `(NAME VALUE)` among these.
fn field<'a>(fields: &'a [Sexp], name: &str) -> Option<&'a Sexp> {
    fields.iter().find_map(|field| match list(field)? {
        [key, value] if *key == Sexp::atom(name) => Some(value),
        _ => None,
    })
}
