//! Chooses the inputs of a corpus: of very many, the few that together reach the most code.

use std::{
    collections::{HashMap, HashSet},
    fmt, fs,
    path::{Path, PathBuf},
    str::SplitWhitespace,
};

use anyhow::{Context as _, Result, bail};

use super::build::Binaries;
use super::target::{LONGEST, Target};
use crate::cargo::root;

/// How many inputs a corpus has at most. The fuzzer finds the rest again within seconds.
const MOST: usize = 100;

/// What a corpus came to.
#[derive(Debug)]
pub(super) struct Made {
    inputs: usize,
    of: usize,
    bytes: u64,
    edges: usize,
    of_edges: usize,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            inputs,
            of,
            bytes,
            edges,
            of_edges,
        } = self;
        write!(
            f,
            "{inputs} of {of} inputs, {bytes} bytes, reach {edges} of {of_edges} edges"
        )
    }
}

/// Replaces a target's corpus by inputs from it, from these seeds, and from what was found.
///
/// # Errors
/// libFuzzer failed, or a file could not be read or written.
pub(super) fn make(target: &Target, binaries: &Binaries, seeds: &Path) -> Result<Made> {
    let folder = root().join("fuzz/target/merge").join(target.name());
    let _ = fs::remove_dir_all(&folder);
    let merged = folder.join("merged");
    fs::create_dir_all(&merged)?;
    let control = folder.join("control");
    // Of its own choice only the control file is of interest: it tells what each input reaches.
    // That it reaches an edge counts, not how often.
    let from = [
        seeds,
        &target.regressions(),
        &target.corpus(),
        &target.found(),
    ];
    let status = target
        .command(binaries)
        .args(["-set_cover_merge=1", "-use_counters=0", LONGEST])
        .arg(format!("-merge_control_file={}", control.display()))
        .arg(&merged)
        .args(from.iter().filter(|folder| folder.is_dir()))
        .stderr(fs::File::create(folder.join("log"))?)
        .status()
        .with_context(|| format!("could not start {}", target.name()))?;
    if !status.success() {
        bail!("merging failed ({status}), see {}", folder.display());
    }
    let control = fs::read_to_string(&control)?;
    let mut inputs = parse(&control).context("the control file is malformed")?;
    let of = inputs.len();
    let all = inputs.iter().flat_map(|input| &input.edges);
    let of_edges = all.collect::<HashSet<_>>().len();
    let (chosen, edges) = choose(&mut inputs);

    let mut contents = Vec::new();
    for input in &chosen {
        contents.push(fs::read(&input.path)?);
    }
    let corpus = target.corpus();
    let _ = fs::remove_dir_all(&corpus);
    fs::create_dir_all(&corpus)?;
    let mut bytes = 0;
    for (input, content) in chosen.iter().zip(&contents) {
        let name = input.path.file_name().unwrap_or_default();
        fs::write(corpus.join(name), content)?;
        bytes += content.len() as u64;
    }
    Ok(Made {
        inputs: chosen.len(),
        of,
        bytes,
        edges,
        of_edges,
    })
}

/// An input, and the edges of the code that it reaches.
#[derive(Debug, PartialEq)]
struct Input {
    path: PathBuf,
    edges: Vec<u32>,
}

/// libFuzzer's control file: the number of inputs, how many of them count as chosen already, their
/// paths, and then lines of several kinds, of which `FT index edge…` is of interest.
fn parse(control: &str) -> Option<Vec<Input>> {
    let mut lines = control.lines();
    let count = lines.next()?.parse().ok()?;
    lines.next()?;
    let paths: Vec<_> = lines.by_ref().take(count).map(PathBuf::from).collect();
    let mut edges = HashMap::new();
    for line in lines {
        let mut words = line.split_whitespace();
        if words.next() == Some("FT") {
            let numbers = |words: SplitWhitespace<'_>| -> Option<Vec<u32>> {
                words.map(|word| word.parse().ok()).collect()
            };
            let index: usize = words.next()?.parse().ok()?;
            edges.insert(index, numbers(words)?);
        }
    }
    let inputs = paths.into_iter().enumerate().map(|(index, path)| Input {
        path,
        edges: edges.remove(&index).unwrap_or_default(),
    });
    Some(inputs.collect())
}

/// Up to [`MOST`] inputs, each the one that reaches most of what the ones before it left, and how
/// many edges they reach together.
fn choose(inputs: &mut [Input]) -> (Vec<&Input>, usize) {
    // The order must not depend on where the inputs came from.
    inputs.sort_by(|a, b| a.path.file_name().cmp(&b.path.file_name()));
    let mut reached_by: HashMap<u32, Vec<usize>> = HashMap::new();
    for (index, input) in inputs.iter().enumerate() {
        for edge in &input.edges {
            reached_by.entry(*edge).or_default().push(index);
        }
    }
    let edges = reached_by.len();
    // How many edges each input would add.
    let mut gains: Vec<_> = inputs.iter().map(|input| input.edges.len()).collect();
    let mut chosen = Vec::new();
    while chosen.len() < MOST {
        // The first of several that are equally good.
        let best = gains.iter().copied().enumerate().rev();
        let Some((index, 1..)) = best.max_by_key(|(_, gain)| *gain) else {
            break;
        };
        let Some(input) = inputs.get(index) else {
            break;
        };
        for edge in &input.edges {
            for other in reached_by.remove(edge).unwrap_or_default() {
                gains[other] -= 1;
            }
        }
        chosen.push(input);
    }
    (chosen, edges - reached_by.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_input_comes_first_and_the_useless_not_at_all() {
        let control = "4\n0\nx/d\ny/a\ny/b\ny/c\nSTARTED 0 1\nFT 0 3 4 5\nCOV 0 1\nSTARTED 1 1\n\
            FT 1 1 3\nCOV 1\nSTARTED 2 2\nFT 2 4 5\nSTARTED 3 3\nFT 3 1 2\n";
        let mut inputs = parse(control).unwrap();
        assert_eq!(inputs[0].edges, [3, 4, 5]);
        let (chosen, edges) = choose(&mut inputs);
        let names: Vec<_> = chosen
            .iter()
            .map(|input| input.path.to_str().unwrap())
            .collect();
        assert_eq!(names, ["x/d", "y/c"]);
        assert_eq!(edges, 5);
    }

    #[test]
    fn a_malformed_control_file_is_noticed() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("1\n0\nx\nFT 0 one\n"), None);
        assert_eq!(parse("1\n0\nx\n").unwrap()[0].edges, []);
    }
}
