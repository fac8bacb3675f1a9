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

use suite_tests::node::{Listener, Node, Reach};
use suite_tests::payload::Random;
use suite_tests::process::{self, children};
use suite_tests::programs::Side;
use suite_tests::{Site, peers_or_skip};

use Side::{Ours, Taylor};

/// One answering system.
struct Answering {
    node: Node,
    listener: Listener,
}

impl Answering {
    /// Lets `caller` call, and waits until this side has ended the call, too.
    fn take_call(&self, caller: &Node) {
        caller.call(self.node.name()).expect_success("the call");
        process::wait_for("the answering uucico to end", process::PATIENCE, || {
            children(self.listener.pid()).is_empty().then_some(())
        });
    }

    fn execute(&self) {
        execute(&self.node);
    }
}

fn execute(node: &Node) {
    node.run("uuxqt", &[]).expect_success("uuxqt");
}

/// leaf -> hub -> far -> end: who stands left calls who stands right of it, but far calls hub.
struct Chain {
    leaf: Node,
    hub: Answering,
    far: Answering,
    end: Node,
    _site: Site,
}

/// What each system on the way lets the others do.
struct Permits {
    hub_for_leaf: &'static str,
    hub_for_far: &'static str,
    far_for_hub: &'static str,
}

/// `uucp` is not among the commands: what is forwarded, is forwarded by these rules alone.
const NOTHING: &str = "commands rmail store";
const FORWARD: &str = "commands rmail store\nforward ANY";

impl Chain {
    fn new([leaf, hub, far, end]: [Side; 4], permits: &Permits) -> Self {
        let site = Site::new("forwarding");
        let leaf = Node::new(&site, "leaf", leaf);
        let hub = Node::new(&site, "hub", hub);
        let far = Node::new(&site, "far", far);
        let end = Node::new(&site, "end", end);
        make_uucp(&far);
        // Where none is along the path, ours takes its own, and tells it the configuration. It finds nobody to call.
        if hub.side() == Taylor {
            make_uucp(&hub);
        }
        end.add_store_command();
        far.add_store_command();
        hub.add_neighbour("leaf", "", &Reach::Never, permits.hub_for_leaf);
        hub.add_neighbour("far", "", &Reach::Never, permits.hub_for_far);
        far.add_neighbour("end", "", &Reach::Never, NOTHING);
        let hub_listens = hub.listen();
        let reach = Reach::Tcp(hub_listens.port());
        leaf.add_neighbour("hub", "", &reach, NOTHING);
        far.add_neighbour("hub", "", &reach, permits.far_for_hub);
        let far_listens = far.listen();
        end.add_neighbour("far", "", &Reach::Tcp(far_listens.port()), NOTHING);
        Self {
            leaf,
            hub: Answering {
                node: hub,
                listener: hub_listens,
            },
            far: Answering {
                node: far,
                listener: far_listens,
            },
            end,
            _site: site,
        }
    }

    /// Brings what waits at leaf to far, as far as that lets it.
    fn to_far(&self) {
        self.hub.take_call(&self.leaf);
        self.hub.execute();
        self.hub.take_call(&self.far.node);
        self.far.execute();
    }

    /// Brings what waits at far to end.
    fn to_end(&self) {
        self.far.take_call(&self.end);
        execute(&self.end);
    }

    fn assert_nothing_left(&self) {
        for node in [&self.leaf, &self.hub.node, &self.far.node, &self.end] {
            assert_eq!(node.leftovers(), Vec::<String>::new(), "{}", node.name());
        }
    }
}

/// A `uucp` that knows the node's configuration, which Taylor's uuxqt does not tell, and calls nobody by itself, so that each
/// step can be looked at.
fn make_uucp(node: &Node) {
    let text = format!(
        "#!/bin/sh\nexec '{}' -I '{}' -r \"$@\"\n",
        node.side().program("uucp").display(),
        node.config().display()
    );
    node.write_script("bin/uucp", &text);
}

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

const CHAINS: [[Side; 4]; 5] = [
    [Taylor, Taylor, Taylor, Taylor],
    [Ours, Ours, Ours, Ours],
    [Ours, Taylor, Ours, Taylor],
    [Taylor, Ours, Taylor, Ours],
    [Ours, Taylor, Taylor, Ours],
];

const ALL: Permits = Permits {
    hub_for_leaf: FORWARD,
    hub_for_far: FORWARD,
    far_for_hub: FORWARD,
};

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

/// Who asks, and who is asked; who of the two calls.
const ASKING: [(Side, Side); 3] = [(Taylor, Taylor), (Ours, Taylor), (Taylor, Ours)];

struct Pair {
    caller: Node,
    answerer: Answering,
    _site: Site,
}

impl Pair {
    fn new((caller, answerer): (Side, Side), rules: &str) -> Self {
        let site = Site::new("asking");
        let caller = Node::new(&site, "leaf", caller);
        let answerer = Node::new(&site, "hub", answerer);
        answerer.add_neighbour("leaf", "i", &Reach::Never, rules);
        let listener = answerer.listen();
        caller.add_neighbour("hub", "i", &Reach::Tcp(listener.port()), rules);
        Self {
            caller,
            answerer: Answering {
                node: answerer,
                listener,
            },
            _site: site,
        }
    }

    /// Who asks, and who is asked.
    fn roles(&self, caller_asks: bool) -> (&Node, &Node) {
        if caller_asks {
            (&self.caller, &self.answerer.node)
        } else {
            (&self.answerer.node, &self.caller)
        }
    }

    fn call(&self) {
        self.answerer.take_call(&self.caller);
    }
}

#[test]
fn files_are_asked_for_by_name_and_by_pattern_by_who_calls_and_who_is_called() {
    if peers_or_skip("forwarding: requests").is_none() {
        return;
    }
    for pair in [ASKING[0], ASKING[1], ASKING[2], (Ours, Ours)] {
        for caller_asks in [true, false] {
            let scene = Pair::new(pair, "");
            let (asking, asked) = scene.roles(caller_asks);
            fs::create_dir(asked.path("pub/out")).unwrap();
            let names = ["a.txt", "b c.txt", "d.bin"];
            for name in names {
                put(asked, &format!("pub/out/{name}"), name.as_bytes(), 0o644);
            }
            let peer = asked.name();
            for arguments in [
                &[&format!("{peer}!~/out/d.bin"), "~/one"][..],
                &[&format!("{peer}!~/out/b c.txt"), "~/in/"],
                &[&format!("{peer}!~/out/*.txt"), "~/all/"],
            ] {
                asking
                    .run("uucp", &[&["-r"], arguments].concat())
                    .expect_success("uucp");
            }
            // What a pattern stands for is sent by who was asked; in this call or, where that has ended its turn, the next.
            scene.call();
            scene.call();
            assert_eq!(read(&asking.path("pub/one")), b"d.bin", "{pair:?}");
            assert_eq!(read(&asking.path("pub/in/b c.txt")), b"b c.txt");
            for name in &names[..2] {
                let got = read(&asking.path("pub/all").join(name));
                assert_eq!(got, name.as_bytes(), "{pair:?}");
            }
            for node in [asking, asked] {
                assert_eq!(node.leftovers(), Vec::<String>::new(), "{pair:?}");
            }
        }
    }
}

#[test]
fn what_may_not_be_asked_for_is_refused_and_the_user_told() {
    if peers_or_skip("forwarding: refused requests").is_none() {
        return;
    }
    for pair in [(Taylor, Ours), (Ours, Ours), (Ours, Taylor)] {
        for caller_asks in [true, false] {
            for (rules, file) in [
                ("send-request no", "pub/open"),
                ("request no", "pub/open"),
                ("remote-send ~", "etc/open"),
                ("remote-send ~ !~/no", "pub/no/open"),
                ("", "pub/closed"),
                ("", "pub/missing"),
                ("remote-send ~", "pub/link/open"),
            ] {
                let scene = Pair::new(pair, rules);
                let (asking, asked) = scene.roles(caller_asks);
                if asked.side() == Taylor && file == "pub/link/open" {
                    // Taylor's follows links out of what is permitted.
                    continue;
                }
                fs::create_dir(asked.path("pub/no")).unwrap();
                std::os::unix::fs::symlink(asked.path("etc"), asked.path("pub/link")).unwrap();
                for name in ["pub/open", "etc/open", "pub/no/open"] {
                    put(asked, name, b"x", 0o644);
                }
                put(asked, "pub/closed", b"x", 0o600);
                let from = format!("{}!{}", asked.name(), asked.path(file).display());
                let to = asking.path("pub/got").display().to_string();
                asking
                    .run("uucp", &["-r", &from, &to])
                    .expect_success("uucp");
                scene.call();
                let case = format!("{pair:?} {rules} {file}");
                assert!(!asking.path("pub/got").exists(), "{case}");
                let left = asking.count(&format!("{}/C.", asked.name()));
                assert_eq!(left, 0, "{case}: refused for good");
                if asking.side() == Ours {
                    assert_eq!(asking.count(".Bangpath/local-mail"), 1, "{case}");
                }
            }
        }
    }
}

#[test]
fn users_are_told_of_files_when_they_asked_to_be() {
    if peers_or_skip("forwarding: notes").is_none() {
        return;
    }
    for pair in [(Ours, Taylor), (Taylor, Ours), (Ours, Ours)] {
        let scene = Pair::new(pair, "");
        let (caller, answerer) = (&scene.caller, &scene.answerer.node);
        put(answerer, "pub/there", b"there", 0o644);
        let here = put(caller, "pub/here", b"here", 0o644);
        for arguments in [
            &["-m", "-n", "joe", &here, "hub!~/in/"][..],
            &["-m", "hub!~/there", "~/in/"],
            &["-n", "joe@example.org", &here, "hub!~/in2/"],
            &[&here, "hub!~/in3/"],
        ] {
            caller
                .run("uucp", &[&["-r"], arguments].concat())
                .expect_success("uucp");
        }
        scene.call();
        for part in ["pub/in/here", "pub/in2/here", "pub/in3/here"] {
            assert_eq!(read(&answerer.path(part)), b"here", "{pair:?}");
        }
        assert_eq!(read(&caller.path("pub/in/there")), b"there");
        let notes = |node: &Node| node.count(".Bangpath/local-mail");
        if caller.side() == Ours {
            assert_eq!(notes(caller), 2, "{pair:?}: one sent, one fetched");
        }
        if answerer.side() == Ours {
            assert_eq!(notes(answerer), 1, "{pair:?}: joe, and nobody elsewhere");
        }
    }
}
