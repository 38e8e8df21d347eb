//! What changes for callers when one server takes the place of another.

use std::collections::BTreeMap;

use rpc_wire::{Description, RpcDigests};

use super::offer::Offer;

/// What changes, sorted by name and version.
pub(crate) struct Diff {
    pub(crate) changes: Vec<(Description, Change)>,
    /// Number of RPCs that stay what they are.
    pub(crate) same: usize,
}

/// What becomes of one RPC.
#[derive(Debug, PartialEq)]
pub(crate) enum Change {
    Added(RpcDigests),
    /// Callers that know no other version are refused.
    Removed(RpcDigests),
    /// The same name and version for other types: callers and server misunderstand each other.
    Changed {
        before: RpcDigests,
        after: RpcDigests,
    },
    /// Both have it, and one of them does not tell its types.
    NotTold,
}

impl Change {
    /// Whether callers of the first server can go on.
    pub(crate) fn is_compatible(&self) -> bool {
        match self {
            Self::Added(_) | Self::NotTold => true,
            Self::Removed(_) | Self::Changed { .. } => false,
        }
    }
}

impl Diff {
    pub(crate) fn new(before: &Offer, after: &Offer) -> Self {
        let mut digests: BTreeMap<_, (Option<RpcDigests>, Option<RpcDigests>)> = BTreeMap::new();
        for offered in &before.rpcs {
            digests.entry(&offered.rpc).or_default().0 = Some(offered.digests);
        }
        for offered in &after.rpcs {
            digests.entry(&offered.rpc).or_default().1 = Some(offered.digests);
        }
        let mut diff = Self {
            changes: Vec::new(),
            same: 0,
        };
        for (rpc, digests) in digests {
            let change = match digests {
                (None, None) => continue,
                (None, Some(after)) => Change::Added(after),
                (Some(before), None) => Change::Removed(before),
                (Some(RpcDigests::Unknown), Some(_)) | (Some(_), Some(RpcDigests::Unknown)) => {
                    Change::NotTold
                }
                (Some(before), Some(after)) if before == after => {
                    diff.same += 1;
                    continue;
                }
                (Some(before), Some(after)) => Change::Changed { before, after },
            };
            diff.changes.push((rpc.clone(), change));
        }
        diff
    }

    /// Number of RPCs that both have and that cannot be compared.
    pub(crate) fn not_told(&self) -> usize {
        let changes = self.changes.iter();
        changes
            .filter(|(_, change)| *change == Change::NotTold)
            .count()
    }

    /// Whether every caller of the first server can go on, as far as the servers tell: of the types of
    /// those that are [not told](Self::not_told) nothing is known.
    pub(crate) fn is_compatible(&self) -> bool {
        self.changes
            .iter()
            .all(|(_, change)| change.is_compatible())
    }
}

#[cfg(test)]
mod tests {
    use bin_prot::shape::Digest;
    use rpc_wire::{Menu, ShapeDigest};

    use super::*;

    fn of(byte: u8) -> RpcDigests {
        RpcDigests::OneWay {
            msg: ShapeDigest(Digest::of([byte])),
        }
    }

    fn offer(rpcs: &[(i64, RpcDigests)]) -> Offer {
        let rpcs = rpcs
            .iter()
            .map(|(version, digests)| (Description::new("log", *version), *digests));
        Offer::of(&Menu::with_digests(rpcs).unwrap())
    }

    #[test]
    fn every_change_is_found() {
        let unknown = RpcDigests::Unknown;
        let before = offer(&[(1, of(1)), (2, of(2)), (3, of(3)), (4, unknown), (5, of(5))]);
        let after = offer(&[
            (2, of(2)),
            (3, of(33)),
            (4, of(4)),
            (5, unknown),
            (6, of(6)),
        ]);
        let diff = Diff::new(&before, &after);
        let changes: Vec<_> = diff
            .changes
            .iter()
            .map(|(rpc, change)| (rpc.version, change))
            .collect();
        let changed = Change::Changed {
            before: of(3),
            after: of(33),
        };
        let expected = [
            (1, &Change::Removed(of(1))),
            (3, &changed),
            (4, &Change::NotTold),
            (5, &Change::NotTold),
            (6, &Change::Added(of(6))),
        ];
        assert_eq!(changes, expected);
        assert_eq!((diff.same, diff.not_told()), (1, 2));
        assert!(!diff.is_compatible());
    }

    #[test]
    fn additions_alone_are_compatible() {
        let (less, more) = (offer(&[(1, of(1))]), offer(&[(1, of(1)), (2, of(2))]));
        assert!(Diff::new(&less, &more).is_compatible());
        assert!(!Diff::new(&more, &less).is_compatible());
        let same = Diff::new(&more, &more);
        assert!(same.changes.is_empty() && same.is_compatible());
    }
}
