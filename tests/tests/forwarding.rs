//! Files and jobs that pass a system on their way to another, and files that are asked for: ours and Taylor's at every
//! place of the way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use suite_tests::node::Node;
use suite_tests::payload::Random;
use suite_tests::peers_or_skip;
use suite_tests::programs::Side::{Ours, Taylor};

use self::chain::{ALL, CHAINS, Chain, NOTHING, Permits, execute, make_uucp};

#[path = "forwarding/asking.rs"]
mod asking;
#[path = "forwarding/chain.rs"]
mod chain;

fn put(node: &Node, part: &str, data: &[u8], mode: u32) -> String {
    let path = node.path(part);
    fs::write(&path, data).expect("a file to send");
    node.owner().give(&path);
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
    path.display().to_string()
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_file_passes_one_system_and_two() {
    if peers_or_skip("forwarding: files").is_none() {
        return;
    }
    for sides in CHAINS {
        let chain = Chain::new(sides, &ALL);
        let data = Random::new(7).bytes(70_000);
        let file = put(&chain.leaf, "pub/photo", &data, 0o755);
        for to in ["hub!far!~/in/", "hub!far!end!~/in/photo"] {
            chain
                .leaf
                .run("uucp", &["-r", &file, to])
                .expect_success("uucp");
        }
        chain.to_far();
        let arrived = chain.far.node.path("pub/in/photo");
        assert!(read(&arrived) == data, "{sides:?}");
        chain.to_end();
        assert!(read(&chain.end.path("pub/in/photo")) == data, "{sides:?}");
        chain.assert_nothing_left();
    }
}

#[test]
fn a_job_passes_one_system_and_two() {
    if peers_or_skip("forwarding: jobs").is_none() {
        return;
    }
    for sides in CHAINS {
        let chain = Chain::new(sides, &ALL);
        let data = Random::new(8).bytes(5000);
        for command in ["hub!far!store", "hub!far!end!store"] {
            chain
                .leaf
                .run_with_input("uux", &["-r", "-", command, "letter"], &data)
                .expect_success("uux");
        }
        chain.to_far();
        assert!(
            read(&chain.far.node.path("stored/letter")) == data,
            "{sides:?}"
        );
        chain.to_end();
        assert!(read(&chain.end.path("stored/letter")) == data, "{sides:?}");
        chain.assert_nothing_left();
    }
}

#[test]
fn a_file_is_fetched_from_behind_a_neighbour() {
    if peers_or_skip("forwarding: fetching").is_none() {
        return;
    }
    for sides in CHAINS {
        let chain = Chain::new(sides, &ALL);
        let data = Random::new(9).bytes(3000);
        put(&chain.far.node, "pub/wanted", &data, 0o644);
        chain
            .leaf
            .run("uucp", &["-r", "hub!far!~/wanted", "~/got"])
            .expect_success("uucp");
        chain.to_far();
        // The hub asks for a file for itself, or has far send it on; either way it comes with far's next call.
        chain.hub.take_call(&chain.far.node);
        chain.hub.execute();
        chain.hub.take_call(&chain.leaf);
        assert!(read(&chain.leaf.path("pub/got")) == data, "{sides:?}");
        chain.assert_nothing_left();
    }
}

#[test]
fn a_file_goes_from_one_neighbour_to_another() {
    if peers_or_skip("forwarding: between neighbours").is_none() {
        return;
    }
    for sides in CHAINS {
        let chain = Chain::new(sides, &ALL);
        let data = Random::new(10).bytes(3000);
        put(&chain.hub.node, "pub/wanted", &data, 0o644);
        // As leaf sees it: from hub, by way of leaf and hub again, to far.
        chain
            .leaf
            .run("uucp", &["-r", "hub!~/wanted", "hub!far!~/got"])
            .expect_success("uucp");
        make_uucp(&chain.leaf);
        chain.leaf.append_neighbour_rule("forward ANY");
        chain.hub.take_call(&chain.leaf);
        chain.hub.execute();
        chain.hub.take_call(&chain.leaf);
        execute(&chain.leaf);
        chain.to_far();
        assert!(read(&chain.far.node.path("pub/got")) == data, "{sides:?}");
        chain.assert_nothing_left();
    }
}

#[test]
fn a_command_gets_its_file_from_a_third_system() {
    if peers_or_skip("forwarding: a third system").is_none() {
        return;
    }
    for sides in CHAINS {
        let chain = Chain::new(sides, &ALL);
        let data = Random::new(11).bytes(3000);
        put(&chain.hub.node, "pub/wanted", &data, 0o644);
        make_uucp(&chain.leaf);
        // Taylor's asks a description of this system itself what its users may have forwarded.
        let path = chain.leaf.path("bin");
        let own = format!("system leaf\nforward ANY\ncommand-path {}", path.display());
        chain.leaf.append_neighbour_rule(&own);
        chain
            .leaf
            .run("uux", &["-r", "hub!far!store", "letter", "<hub!~/wanted"])
            .expect_success("uux");
        // The command is on its way at once, its file when it has been to leaf.
        chain.to_far();
        assert!(!chain.far.node.path("stored/letter").exists(), "{sides:?}");
        execute(&chain.leaf);
        chain.to_far();
        let stored = chain.far.node.path("stored/letter");
        assert!(read(&stored) == data, "{sides:?}");
        chain.assert_nothing_left();
    }
}

#[test]
fn what_may_not_be_forwarded_is_not() {
    if peers_or_skip("forwarding: refused").is_none() {
        return;
    }
    for hub in [Ours, Taylor] {
        for (rules, allowed) in [
            (NOTHING, false),
            ("commands store\nforward-from far", false),
            ("commands store\nforward-to end other", false),
            ("commands store\nforward-to far", true),
            ("commands store uucp", true),
        ] {
            let permits = Permits {
                hub_for_leaf: rules,
                ..ALL
            };
            let chain = Chain::new([Ours, hub, Ours, Ours], &permits);
            make_uucp(&chain.hub.node);
            let file = put(&chain.leaf, "pub/photo", b"photo", 0o644);
            chain
                .leaf
                .run("uucp", &["-r", &file, "hub!far!~/"])
                .expect_success("uucp");
            chain.hub.take_call(&chain.leaf);
            chain.hub.execute();
            assert_eq!(
                chain.hub.node.count("far/C."),
                usize::from(allowed),
                "{hub:?}: {rules}"
            );
            let told = chain
                .hub
                .node
                .log()
                .contains("Not permitted to forward to far");
            assert_eq!(told, !allowed, "{hub:?}: {rules}");
        }
    }
}

#[test]
fn forwarding_reads_and_writes_nothing_that_requests_may_not() {
    if peers_or_skip("forwarding: local files").is_none() {
        return;
    }
    // The harness lets every neighbour into the whole folder.
    let forward = "commands x\nforward ANY\nremote-send ~\nremote-receive ~";
    let command = "commands uucp\nremote-send ~\nremote-receive ~";
    for rules in [forward, command] {
        let permits = Permits {
            hub_for_leaf: rules,
            ..ALL
        };
        let chain = Chain::new([Ours; 4], &permits);
        make_uucp(&chain.hub.node);
        put(&chain.hub.node, "etc/secret", b"secret", 0o644);
        let secret = chain.hub.node.path("etc/secret").display().to_string();
        let target = chain.hub.node.path("etc/made").display().to_string();
        put(&chain.hub.node, "pub/open", b"open", 0o644);
        for command in [
            ["hub!uucp", &secret, "(far!~/secret)"],
            ["hub!uucp", "~/open", &target],
            ["hub!uucp", "~/open", "(far!~/open)"],
        ] {
            chain
                .leaf
                .run("uux", &[&["-r"], &command[..]].concat())
                .expect_success("uux");
        }
        chain.hub.take_call(&chain.leaf);
        chain.hub.execute();
        assert!(!Path::new(&target).exists(), "{rules}");
        assert_eq!(
            chain.hub.node.count("far/C."),
            1,
            "{rules}: only the open one"
        );
        let left = chain.hub.node.count("leaf/X.");
        assert_eq!(left, 0, "{rules}");
    }
}
