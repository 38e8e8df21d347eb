//! Where on the peer's menu an RPC is.
//!
//! The menu is sorted, and searching it takes longer the longer it is. The definition of an RPC is
//! a static in most programs, so where its name lies in memory says which it probably is: what was
//! found for it before is looked at first. It is only a hint, since another name may have come to
//! lie there.

use std::sync::atomic::{AtomicU32, Ordering};

use rpc_wire::{DescriptionRef, Menu};

/// Hints for as many definitions, if no two of them meet.
const SLOTS: usize = 16;

/// The ranks of the RPCs that were dispatched last.
#[derive(Debug, Default)]
pub(crate) struct Ranks([AtomicU32; SLOTS]);

impl Ranks {
    /// The position of an RPC on the menu.
    #[inline]
    pub(crate) fn find(&self, menu: &Menu, rpc: &DescriptionRef<'_>) -> Option<usize> {
        let slot = self.0.get(slot(rpc))?;
        let hint = slot.load(Ordering::Relaxed) as usize;
        if menu.is_at(hint, *rpc) {
            return Some(hint);
        }
        search(menu, rpc, slot)
    }
}

#[cold]
fn search(menu: &Menu, rpc: &DescriptionRef<'_>, hint: &AtomicU32) -> Option<usize> {
    let rank = menu.rank(*rpc)?;
    // One that does not fit is searched for every time.
    hint.store(u32::try_from(rank).unwrap_or(0), Ordering::Relaxed);
    Some(rank)
}

/// Names are a few bytes long, and lie next to each other.
fn slot(rpc: &DescriptionRef<'_>) -> usize {
    let address = rpc.name.as_ptr().addr();
    let version = rpc.version as usize;
    (address ^ (address >> 4) ^ version) % SLOTS
}

#[cfg(test)]
mod tests {
    use rpc_wire::Description;

    use super::*;

    /// More RPCs than hints, and names that come to lie where others were.
    #[test]
    fn hints_never_mislead() {
        let all: Vec<_> = (0..100)
            .map(|n| Description::new(format!("rpc-{}", n % 25), n / 25))
            .collect();
        let menu = Menu::new(all.clone()).unwrap();
        let ranks = Ranks::default();
        let mut place = [0; 6];
        for _ in 0..2 {
            for rpc in &all {
                let rpc = rpc.as_ref();
                assert_eq!(ranks.find(&menu, &rpc), menu.rank(rpc));
                let name = &mut place[..rpc.name.len()];
                name.copy_from_slice(rpc.name);
                let moved = DescriptionRef {
                    name,
                    version: rpc.version,
                };
                assert_eq!(ranks.find(&menu, &moved), menu.rank(rpc));
            }
            let unknown = Description::new("rpc-1", 9);
            assert_eq!(ranks.find(&menu, &unknown.as_ref()), None);
        }
    }
}
