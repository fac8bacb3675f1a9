//! Two systems, and a line between them that can be cut.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use suite_tests::Site;
use suite_tests::middle::{Fate, Middle, two_systems};
use suite_tests::node::{Listener, Node, walk};
use suite_tests::process;
use suite_tests::programs::Side;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    Caller,
    Answerer,
    Line,
}

/// How many bytes of the caller and of the answerer have passed.
pub(super) type Passed = (u64, u64);

pub(super) struct Scene {
    pub(super) leaf: Node,
    pub(super) hub: Node,
    line: Middle,
    listener: Listener,
    _site: Site,
}

impl Scene {
    pub(super) fn new(caller: Side, answerer: Side, protocol: char) -> Self {
        let site = Site::new("kill-rounds");
        let sides = (caller, answerer);
        let (leaf, hub, line) = two_systems(&site, sides, &protocol.to_string());
        let listener = hub.listen();
        Self {
            leaf,
            hub,
            line,
            listener,
            _site: site,
        }
    }

    /// A call that ends when so many bytes of the sender have passed, and the receiver has got some of them.
    pub(super) fn broken_call(&self, victim: Victim, after: u64, of_caller: bool) -> Passed {
        let caller = Arc::new(OnceLock::new());
        let (known, server) = (Arc::clone(&caller), self.listener.pid());
        let answering = self.hub.config();
        let (_, receiver) = self.sides(of_caller);
        let places = [receiver.spool(), receiver.public()];
        let then = move || {
            process::wait_for("a part of the file", process::PATIENCE, || {
                places.iter().any(|place| has_large(place)).then_some(())
            });
            match victim {
                Victim::Caller => kill_all(&[*known.wait()]),
                Victim::Answerer => kill_all(&answerers(&answering, server)),
                Victim::Line => {}
            }
        };
        let fate = Fate {
            after,
            of_caller,
            then: Box::new(then),
        };
        let passage = self.line.measure(self.listener.port(), Some(fate));
        let call = self.leaf.start("uucico", &["-S", "hub"]);
        caller.set(call.pid()).expect("one caller");
        let ended = call.finish(process::PATIENCE);
        assert!(!ended.status.success(), "the call was not broken");
        self.wait_for_answerer();
        passage.finish()
    }

    pub(super) fn whole_call(&self) -> Passed {
        let passage = self.line.measure(self.listener.port(), None);
        self.leaf.call("hub").expect_success("the second call");
        self.wait_for_answerer();
        passage.finish()
    }

    fn wait_for_answerer(&self) {
        process::wait_for("the answering uucico to end", process::PATIENCE, || {
            let left = answerers(&self.hub.config(), self.listener.pid());
            // One that is just dying has no command line any more, but still its lock.
            (left.is_empty() && !is_locked(&self.hub)).then_some(())
        });
    }

    /// Who sends, who receives.
    pub(super) fn sides(&self, outward: bool) -> (&Node, &Node) {
        if outward {
            (&self.leaf, &self.hub)
        } else {
            (&self.hub, &self.leaf)
        }
    }

    pub(super) fn assert_nothing_left(&self) {
        for node in [&self.leaf, &self.hub] {
            assert_eq!(node.leftovers(), Vec::<String>::new(), "{}", node.name());
        }
    }
}

/// Whoever answers for a node but the server itself; Taylor's are not its children.
fn answerers(config: &Path, server: Pid) -> Vec<Pid> {
    let mut found = process::find(&["uucico", &config.display().to_string()]);
    found.retain(|process| *process != server);
    found
}

/// Whether a lock of the node has a holder, be it one that is dead and not yet buried.
fn is_locked(node: &Node) -> bool {
    let mut locked = false;
    walk(&node.path("lock"), &mut |path| {
        let holder = process::lossy(path);
        locked |= !holder.is_empty() && Path::new("/proc").join(holder.trim()).exists();
    });
    locked
}

fn kill_all(processes: &[Pid]) {
    assert!(!processes.is_empty(), "nobody to kill");
    for process in processes {
        let _ = kill(*process, Signal::SIGKILL);
    }
}

/// Whether there is more under a folder than the small files that a call leaves.
fn has_large(folder: &Path) -> bool {
    let mut found = false;
    walk(folder, &mut |path| {
        found |= path.metadata().is_ok_and(|file| file.len() > 65_536);
    });
    found
}
