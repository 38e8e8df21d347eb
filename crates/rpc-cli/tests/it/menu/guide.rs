//! What `docs/versioning.md` shows of the command, it prints: asked of the servers of its story.

use rpc_releases::{release_2, release_3};

use super::{Servers, menu};

const GUIDE: &str = include_str!("../../../../../docs/versioning.md");

/// The commands of the page, and what each has printed.
fn sessions() -> Vec<(&'static str, &'static str)> {
    let blocks = GUIDE.split("```text\n$ rpc menu ").skip(1);
    let block = |part: &'static str| part.split_once("```").unwrap().0;
    blocks
        .map(|part| block(part).split_once('\n').unwrap())
        .collect()
}

#[test]
fn commands_of_the_guide_print_what_it_says() {
    let servers = Servers::new();
    let second = servers.start_table(true, release_2::table(|_| ()).unwrap());
    let third = servers.start_table(true, release_3::table(|_| ()).unwrap());
    let sessions = sessions();
    assert!(sessions.len() >= 2, "{sessions:?}");
    for (line, expected) in sessions {
        let args: Vec<_> = line
            .split_whitespace()
            .map(|arg| match arg {
                "127.0.0.1:8080" => second.as_str(),
                "127.0.0.1:8081" => third.as_str(),
                other => other,
            })
            .collect();
        let (_, stdout, stderr) = menu(&args);
        assert_eq!((stdout.as_str(), stderr.as_str()), (expected, ""), "{line}");
    }
}
