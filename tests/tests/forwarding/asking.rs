//! Files that one side asks the other for.

use std::fs;

use suite_tests::node::{Node, Reach};
use suite_tests::programs::Side::{self, Ours, Taylor};
use suite_tests::{Site, peers_or_skip};

use super::chain::Answering;
use super::{put, read};

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
