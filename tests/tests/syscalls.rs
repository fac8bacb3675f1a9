//! No answer before what it stands on is durable, read from the system calls of the running programs.
//!
//! Debian's own programs, which sync nothing, go through the same checks first and must fail them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use suite_tests::durability::{self, Findings};
use suite_tests::maildir::{Mailboxes, add_rmail};
use suite_tests::node::{Node, Reach};
use suite_tests::peers::Peers;
use suite_tests::process::{self, Running};
use suite_tests::programs::{self, Side};
use suite_tests::queue::HandQueue;
use suite_tests::strace::{self, Step, What};
use suite_tests::{Site, peers_or_skip};

/// Jobs in the call that is looked at: enough for one commit of several.
const JOBS: usize = 6;

struct Scene {
    peers: &'static Peers,
    _folder: Site,
    leaf: Node,
    hub: Node,
    mail: Mailboxes,
    line: TcpListener,
}

fn scene(peers: &'static Peers, side: Side, protocol: &str) -> Scene {
    let folder = Site::new("syscalls");
    let (leaf, hub) = (
        Node::new(&folder, "leaf", side),
        Node::new(&folder, "hub", side),
    );
    let mail = Mailboxes::new(&hub, "hub.example");
    let line = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = line.local_addr().expect("its number").port();
    leaf.add_neighbour("hub", protocol, &Reach::Tcp(port), "");
    hub.add_neighbour("leaf", protocol, &Reach::Never, "");
    Scene {
        peers,
        _folder: folder,
        leaf,
        hub,
        mail,
        line,
    }
}

impl Scene {
    fn log(&self, name: &str) -> PathBuf {
        self.leaf.path("log").join(format!("{name}.strace"))
    }

    fn traced(&self, name: &str, command: &Command, node: &Node) -> Command {
        strace::traced(self.peers, command, node.owner().ids(), &self.log(name))
    }

    fn steps(&self, name: &str) -> Vec<Step> {
        let text = process::lossy(&self.log(name));
        assert!(!text.is_empty(), "strace wrote nothing for {name}");
        strace::parse(&text)
    }

    fn queue(&self, number: usize) -> Findings {
        let mut command = self.leaf.command("uux");
        let recipient = format!("(user{number}@hub.example)");
        command.args([
            "-r",
            "-n",
            "-z",
            "-aann@leaf.example",
            "-",
            "hub!rmail",
            &recipient,
        ]);
        let name = format!("sender{number}");
        // With an id, so that rmail knows it again.
        let message = format!(
            "From: ann@leaf.example\nMessage-ID: <{number}@leaf.example>\nSubject: {number}\n\nhello\n"
        );
        process::run_with_input(
            self.traced(&name, &command, &self.leaf),
            message.as_bytes(),
            &self.leaf.path("log"),
        )
        .expect_success("the sender");
        durability::check_sender(&self.steps(&name), &self.leaf.spool())
    }

    /// A file for the hub, or with a command that passes it on.
    fn queue_file(&self, name: &str, to: &str) -> Findings {
        let file = self.leaf.path("pub/file");
        std::fs::write(&file, "text").expect("a file to send");
        let mut command = self.leaf.command("uucp");
        command.arg("-r").arg(file).arg(to);
        let traced = self.traced(name, &command, &self.leaf);
        process::run(traced, &self.leaf.path("log")).expect_success("uucp");
        durability::check_sender(&self.steps(name), &self.leaf.spool())
    }

    /// As Postfix queues: `postfix-uucp`, here with a recipient that no command line can carry, about whom a report is made.
    fn queue_as_postfix(&self, number: usize) -> [Findings; 2] {
        let mut command = self.leaf.command_of(&programs::bin("postfix-uucp"));
        command
            .args(["--host=hub", "--from=ann@leaf.example"])
            .arg(format!("--queue-id=Q{number}"))
            .arg("--")
            .args([
                format!("user{number}@hub.example"),
                "\"a b\"@hub.example".into(),
            ]);
        let name = format!("postfix{number}");
        let message = format!(
            "From: ann@leaf.example\nMessage-ID: <{number}@leaf.example>\nSubject: {number}\n\nhello\n"
        );
        process::run_with_input(
            self.traced(&name, &command, &self.leaf),
            message.as_bytes(),
            &self.leaf.path("log"),
        )
        .expect_success("postfix-uucp");
        let steps = self.steps(&name);
        assert_eq!(durability::local_mails(&steps, &self.leaf.spool()), 1);
        [
            durability::check_sender(&steps, &self.leaf.spool()),
            durability::check_submission(&steps, &self.leaf.spool()),
        ]
    }

    /// A message into the outbox, by Exim's sender or by Postfix's.
    fn queue_into_outbox(&self, sender: &str) -> Findings {
        let mut command = self.leaf.command_of(&programs::bin(sender));
        let mut message =
            b"From: ann@leaf.example\nMessage-ID: <1@leaf.example>\n\nhello\n".to_vec();
        match sender {
            "exim-bsmtp" => {
                command.args(["--id=E1", "hub"]);
                let envelope = b"MAIL FROM:<ann@leaf.example>\nRCPT TO:<bob@hub.example>\nRCPT TO:<\"open@x>\nDATA\n";
                message = [&envelope[..], &message, b".\n"].concat();
            }
            _ => {
                command
                    .args(["--host=hub", "--from=ann@leaf.example", "--queue-id=Q1"])
                    .args(["--", "bob@hub.example"]);
            }
        }
        process::run_with_input(
            self.traced(sender, &command, &self.leaf),
            &message,
            &self.leaf.path("log"),
        )
        .expect_success(sender);
        let steps = self.steps(sender);
        let reports = usize::from(sender == "exim-bsmtp");
        assert_eq!(durability::local_mails(&steps, &self.leaf.spool()), reports);
        durability::check_outbox(&steps, &self.leaf.spool())
    }

    /// One call; gives the findings about the answering side, its receipts, and the calling side.
    fn call(&self) -> [Findings; 3] {
        let mut call = self.leaf.command("uucico");
        call.args(["-S", "hub"]);
        let call = self.traced("caller", &call, &self.leaf);
        let caller = Running::start(call, &self.leaf.path("log/caller.out"));
        let (socket, _) = self.line.accept().expect("the call");
        let mut answer = self.hub.command("uucico");
        answer.arg("-l");
        let mut answer = start_on_socket(self.traced("answerer", &answer, &self.hub), socket);
        caller
            .finish(process::PATIENCE)
            .expect_success("the caller");
        process::wait_for("the answerer to end", process::PATIENCE, || {
            answer.try_wait().expect("wait")
        });
        let is_marker = |path: &Path| path.to_string_lossy().contains("/.Received/");
        let answerer = self.steps("answerer");
        [
            durability::check_receiver(&answerer, &self.hub.spool(), is_marker),
            durability::check_receipts(&answerer, &self.hub.spool()),
            durability::check_removal(&self.steps("caller"), &self.leaf.spool()),
        ]
    }

    fn execute(&self) -> [Findings; 3] {
        let command = self.hub.command("uuxqt");
        process::run(
            self.traced("uuxqt", &command, &self.hub),
            &self.hub.path("log"),
        )
        .expect_success("uuxqt");
        let steps = self.steps("uuxqt");
        [
            durability::check_execution(&steps, &self.hub.spool()),
            durability::check_maildir(&steps, self.mail.folder(), "rmail"),
            durability::check_records(&steps, &self.hub.spool(), "rmail"),
        ]
    }
}

/// As inetd does it: the socket is both standard input and standard output.
fn start_on_socket(mut command: Command, socket: TcpStream) -> std::process::Child {
    let input = socket.try_clone().expect("a second descriptor");
    command
        .stdin(OwnedFd::from(input))
        .stdout(OwnedFd::from(socket))
        .stderr(Stdio::null())
        .spawn()
        .expect("the answerer")
}

#[test]
fn taylors_programs_fail_the_checks() {
    let Some(peers) = peers_or_skip("syscalls: taylor") else {
        return;
    };
    let scene = scene(peers, Side::Taylor, "t");
    for number in 0..JOBS {
        let findings = scene.queue(number);
        assert!(
            findings.answers > 0 && !findings.wrong.is_empty(),
            "{findings:?}"
        );
    }
    let [receiver, _, removal] = scene.call();
    assert_eq!(receiver.answers, JOBS, "{receiver:?}");
    assert!(!receiver.wrong.is_empty(), "{receiver:?}");
    removal.expect_right("Taylor removes after the confirmation", 2 * JOBS);
}

#[test]
fn ours_answer_after_what_they_stand_on() {
    let Some(peers) = peers_or_skip("syscalls: ours") else {
        return;
    };
    for protocol in ["t", "e", "g", "i"] {
        let scene = scene(peers, Side::Ours, protocol);
        add_rmail(&scene.hub);
        for number in 0..JOBS {
            if number % 2 == 0 {
                scene.queue(number).expect_right("uux", 2);
                continue;
            }
            for findings in scene.queue_as_postfix(number) {
                findings.expect_right("postfix-uucp", 2);
            }
        }
        let [receiver, receipts, removal] = scene.call();
        receiver.expect_right(&format!("the receiver over {protocol}"), 1);
        receipts.expect_right(&format!("its receipts over {protocol}"), 1);
        removal.expect_right(&format!("the sender over {protocol}"), 2 * JOBS);
        let [execution, delivery, records] = scene.execute();
        execution.expect_right("uuxqt", JOBS);
        delivery.expect_right("rmail", JOBS);
        records.expect_right("rmail's records", JOBS);
        assert_eq!(scene.mail.messages().len(), JOBS);
    }
}

#[test]
fn uucp_answers_after_what_it_stands_on() {
    let Some(peers) = peers_or_skip("syscalls: uucp") else {
        return;
    };
    for side in [Side::Taylor, Side::Ours] {
        let scene = scene(peers, side, "t");
        for (name, to) in [("direct", "hub!~/x"), ("forwarded", "hub!far!~/x")] {
            let findings = scene.queue_file(name, to);
            if side == Side::Ours {
                findings.expect_right(name, 2);
            } else {
                assert!(!findings.wrong.is_empty(), "{name}: {findings:?}");
            }
        }
    }
}

#[test]
fn senders_into_the_outbox_answer_after_what_they_stand_on() {
    let Some(peers) = peers_or_skip("syscalls: outbox") else {
        return;
    };
    let scene = scene(peers, Side::Ours, "t");
    scene
        .leaf
        .write("etc/mail.toml", "[sending]\nformat = \"bsmtp\"\n");
    for sender in ["exim-bsmtp", "postfix-uucp"] {
        scene.queue_into_outbox(sender).expect_right(sender, 3);
    }
    let waiting = scene.leaf.count(".Bangpath/outbox/hub/queue");
    assert_eq!(waiting, 2, "both wait");
}

#[test]
fn a_large_file_is_handed_to_the_disk_while_it_comes_and_no_byte_twice() {
    const SIZE: u64 = 20 << 20;
    let Some(peers) = peers_or_skip("syscalls: a large file") else {
        return;
    };
    let scene = scene(peers, Side::Ours, "e");
    let data = vec![b'x'; usize::try_from(SIZE).unwrap()];
    HandQueue::new(&scene.leaf, "hub").file('N', "/large", "~/large", &data);
    scene.call();
    let (mut told, mut written, mut last) = (Vec::new(), 0, 0);
    for step in scene.steps("answerer") {
        let What::Begin(call) = step.what else {
            continue;
        };
        let folder = scene.hub.public();
        let path = call.descriptor_path(0).unwrap_or_default();
        if !Path::new(&path).starts_with(folder) {
            continue;
        }
        match call.name.as_str() {
            "pwrite64" => written += 1,
            "fadvise64" => {
                let arguments = call.split();
                let number = |index: usize| arguments.get(index).unwrap().parse::<u64>().unwrap();
                assert_eq!(number(1), last, "{arguments:?}");
                last += number(2);
                told.push(written);
            }
            _ => {}
        }
    }
    assert_eq!(last, SIZE);
    // Not all of it at the end.
    assert!(told.len() > 2 && told.first() < told.last(), "{told:?}");
}
