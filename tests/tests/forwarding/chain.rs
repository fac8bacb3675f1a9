//! Four systems in a row.

use suite_tests::Site;
use suite_tests::node::{Listener, Node, Reach};
use suite_tests::process::{self, children};
use suite_tests::programs::Side::{self, Ours, Taylor};

/// One answering system.
pub(super) struct Answering {
    pub(super) node: Node,
    pub(super) listener: Listener,
}

impl Answering {
    /// Lets `caller` call, and waits until this side has ended the call, too.
    pub(super) fn take_call(&self, caller: &Node) {
        caller.call(self.node.name()).expect_success("the call");
        process::wait_for("the answering uucico to end", process::PATIENCE, || {
            children(self.listener.pid()).is_empty().then_some(())
        });
    }

    pub(super) fn execute(&self) {
        execute(&self.node);
    }
}

pub(super) fn execute(node: &Node) {
    node.run("uuxqt", &[]).expect_success("uuxqt");
}

/// leaf -> hub -> far -> end: who stands left calls who stands right of it, but far calls hub.
pub(super) struct Chain {
    pub(super) leaf: Node,
    pub(super) hub: Answering,
    pub(super) far: Answering,
    pub(super) end: Node,
    _site: Site,
}

/// What each system on the way lets the others do.
pub(super) struct Permits {
    pub(super) hub_for_leaf: &'static str,
    pub(super) hub_for_far: &'static str,
    pub(super) far_for_hub: &'static str,
}

/// `uucp` is not among the commands: what is forwarded, is forwarded by these rules alone.
pub(super) const NOTHING: &str = "commands rmail store";
pub(super) const FORWARD: &str = "commands rmail store\nforward ANY";

impl Chain {
    pub(super) fn new([leaf, hub, far, end]: [Side; 4], permits: &Permits) -> Self {
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
    pub(super) fn to_far(&self) {
        self.hub.take_call(&self.leaf);
        self.hub.execute();
        self.hub.take_call(&self.far.node);
        self.far.execute();
    }

    /// Brings what waits at far to end.
    pub(super) fn to_end(&self) {
        self.far.take_call(&self.end);
        execute(&self.end);
    }

    pub(super) fn assert_nothing_left(&self) {
        for node in [&self.leaf, &self.hub.node, &self.far.node, &self.end] {
            assert_eq!(node.leftovers(), Vec::<String>::new(), "{}", node.name());
        }
    }
}

/// A `uucp` that knows the node's configuration, which Taylor's uuxqt does not tell, and calls nobody by itself, so that each
/// step can be looked at.
pub(super) fn make_uucp(node: &Node) {
    let text = format!(
        "#!/bin/sh\nexec '{}' -I '{}' -r \"$@\"\n",
        node.side().program("uucp").display(),
        node.config().display()
    );
    node.write_script("bin/uucp", &text);
}

pub(super) const CHAINS: [[Side; 4]; 5] = [
    [Taylor, Taylor, Taylor, Taylor],
    [Ours, Ours, Ours, Ours],
    [Ours, Taylor, Ours, Taylor],
    [Taylor, Ours, Taylor, Ours],
    [Ours, Taylor, Taylor, Ours],
];

pub(super) const ALL: Permits = Permits {
    hub_for_leaf: FORWARD,
    hub_for_far: FORWARD,
    far_for_hub: FORWARD,
};
