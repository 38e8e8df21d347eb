//! `docs/versioning.md` shows code that is compiled and run here: that of the releases and of their
//! tests.

const GUIDE: &str = include_str!("../../../../docs/versioning.md");

const SOURCES: &[&str] = &[
    include_str!("../../src/main.rs"),
    include_str!("../../src/release_1.rs"),
    include_str!("../../src/release_2.rs"),
    include_str!("../../src/release_3.rs"),
    include_str!("rollout.rs"),
];

/// The page's blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    let parts = GUIDE.split(opening.as_str()).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap())
        .collect()
}

/// A file's text without indentation and without documentation.
fn squeezed(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("///"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Every block of code is in one of the files, line by line.
#[test]
fn code_of_the_guide_is_that_of_the_programs() {
    let sources: Vec<_> = SOURCES.iter().copied().map(squeezed).collect();
    let blocks = blocks("rust");
    assert!(blocks.len() >= 8, "{} blocks", blocks.len());
    for block in blocks {
        // Parts that the page leaves out are marked.
        for part in squeezed(block).split("// …\n") {
            let part = part.trim();
            let found = sources.iter().any(|source| source.contains(part));
            assert!(found, "not in any program:\n{part}");
        }
    }
}
