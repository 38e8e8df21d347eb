//! Which version both sides know.

use rpc_wire::Menu;
use thiserror::Error;

/// Why there is no version to use (rule V-ME-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoCommonVersion {
    /// The peer has no RPC of this name.
    #[error("the peer does not implement an RPC of this name")]
    NoSuchRpc,
    /// The peer has some, but none that we know.
    #[error("the peer implements no version of this RPC that we know")]
    NoSuchVersion,
}

/// The highest version of `name` that is both on `menu` and among `versions`, which may come in
/// any order and repeat. Does not allocate.
///
/// # Errors
/// There is none; see [`NoCommonVersion`].
pub fn highest_common(menu: &Menu, name: &str, versions: &[i64]) -> Result<i64, NoCommonVersion> {
    let mut offered = menu.versions(name.as_bytes()).rev().peekable();
    if offered.peek().is_none() {
        return Err(NoCommonVersion::NoSuchRpc);
    }
    offered
        .find(|version| versions.contains(version))
        .ok_or(NoCommonVersion::NoSuchVersion)
}

#[cfg(test)]
mod tests {
    use rpc_wire::Description;

    use super::*;

    /// V-ME-4, V-ME-5, V-SE-1.
    #[test]
    fn highest_version_of_both_sides_wins() {
        let versions = [-3, 0, 2, 7].map(|version| Description::new("price", version));
        let other = Description::new("prices", 9);
        let menu = Menu::new(versions.into_iter().chain([other])).unwrap();
        let check = |versions: &[i64], expected| {
            assert_eq!(highest_common(&menu, "price", versions), expected);
        };
        check(&[1, 2, 3], Ok(2));
        check(&[7, 2, 7], Ok(7));
        check(&[-3, -4], Ok(-3));
        check(&[0], Ok(0));
        check(&[9], Err(NoCommonVersion::NoSuchVersion));
        check(&[], Err(NoCommonVersion::NoSuchVersion));
        let unknown = highest_common(&menu, "pric", &[1]);
        assert_eq!(unknown, Err(NoCommonVersion::NoSuchRpc));
    }
}
