//! The vectors and recordings of the repository.

use rpc_conformance::Places;
use rpc_testkit::golden;

use crate::place::{run, run_vectors};

#[test]
fn everything_passes_and_nothing_is_skipped() {
    let report = run(&Places::default());
    assert_eq!(report.lines, [] as [String; 0]);
    // Vectors and recordings may be added, but none may be lost unseen.
    assert!(report.summary.passed >= 3_125, "{}", report.summary);
}

/// Without the digest vectors that describe their types: those of the repository are found.
#[test]
fn types_of_the_repository_are_known_to_other_files() {
    let values = golden::vectors()
        .iter()
        .filter(|vector| vector.kind != "digest");
    let values: Vec<_> = values.map(|vector| vector.fields.clone().into()).collect();
    let report = run_vectors(&values);
    assert_eq!(report.lines, [] as [String; 0]);
    assert_eq!(report.summary.passed, values.len());
}

/// Each byte string of each vector with one bit flipped, the position changing from vector to
/// vector. Only what has to be refused may still be refused for the same reason.
#[test]
fn a_flipped_bit_fails() {
    let mut damaged = Vec::new();
    for (number, vector) in golden::vectors().iter().enumerate() {
        for field in ["hex", "canonical_hex", "digest"] {
            let Ok(mut bytes) = vector.hex(field) else {
                continue;
            };
            if bytes.is_empty() || vector.kind.ends_with("_error") {
                continue;
            }
            let at = number % bytes.len();
            bytes[at] ^= 1 << (number % 8);
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let mut vector = vector.fields.clone();
            vector.insert(field.to_owned(), digits.into());
            damaged.push(vector.into());
        }
    }
    let report = run_vectors(&damaged);
    assert!(damaged.len() > 2_800, "{}", damaged.len());
    assert_eq!(
        (report.summary.passed, report.summary.skipped),
        (0, 0),
        "{}",
        report.summary
    );
    assert_eq!(report.summary.failed, damaged.len());
}

#[test]
fn a_byte_too_many_or_too_few_fails() {
    let mut damaged = Vec::new();
    for vector in golden::vectors() {
        let Ok(bytes) = vector.hex("hex") else {
            continue;
        };
        // Of values to be decoded more bytes may follow, and what is refused may be longer.
        if vector.kind.ends_with("_error") || vector.kind == "bin_prot_decode" {
            continue;
        }
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut longer = vector.fields.clone();
        longer.insert("hex".to_owned(), format!("{digits}00").into());
        damaged.push(longer.into());
        if !digits.is_empty() {
            let mut shorter = vector.fields.clone();
            shorter.insert("hex".to_owned(), digits[2..].into());
            damaged.push(shorter.into());
        }
    }
    let report = run_vectors(&damaged);
    assert!(damaged.len() > 5_000, "{}", damaged.len());
    assert_eq!(report.summary.failed, damaged.len(), "{}", report.summary);
}
