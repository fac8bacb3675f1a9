//! Every file of `conf-snippets/` does what it says: read by Debian's programs, and mail carried through it by ours.
//!
//! Only what names a place is put right first: paths, the port, the host. (`conf-snippets/postfix/` is exercised by
//! `postfix.rs`.)

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use suite_tests::maildir::{Mailboxes, add_rmail};
use suite_tests::node::Node;
use suite_tests::ports::{free_port, is_listening};
use suite_tests::process::{self, Running};
use suite_tests::programs::{self, Side};
use suite_tests::{Site, peers_or_skip};

#[path = "snippets/readme.rs"]
mod readme;
#[path = "snippets/retry.rs"]
mod retry;
#[path = "snippets/ssh.rs"]
mod ssh;

/// Where the snippets say that our programs are.
const INSTALLED: &str = "/usr/lib/bangpath";

fn snippet(name: &str) -> String {
    let path = programs::workspace().join("conf-snippets").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Both nodes, configured by the snippets alone.
struct Pair {
    site: Site,
    leaf: Node,
    hub: Node,
    mailboxes: Mailboxes,
}

fn pair(port: u16) -> Pair {
    let site = Site::new("snippets");
    let (leaf, hub) = (
        Node::new(&site, "leaf", Side::Ours),
        Node::new(&site, "hub", Side::Ours),
    );
    let mailboxes = Mailboxes::new(&hub, "hub.example");
    add_rmail(&hub);
    for node in [&leaf, &hub] {
        configure(node, port);
    }
    Pair {
        site,
        leaf,
        hub,
        mailboxes,
    }
}

fn configure(node: &Node, port: u16) {
    let folder = format!("uucp/{}", node.name());
    // The places that the snippet leaves at their defaults.
    let own = process::lossy(&node.config());
    let of_the_snippet =
        |line: &&str| line.starts_with("nodename") || line.starts_with("run-uuxqt");
    let places: Vec<&str> = own.lines().filter(|line| !of_the_snippet(line)).collect();
    let places = places.join("\n") + "\n";
    node.write(
        "etc/config",
        &(snippet(&format!("{folder}/config")) + &places),
    );
    let here = |text: String| {
        text.replace("hub.example", "127.0.0.1")
            .replace("service 540", &format!("service {port}"))
            .replace(INSTALLED, &node.path("bin").display().to_string())
    };
    node.write("etc/sys", &here(snippet(&format!("{folder}/sys"))));
    node.write("etc/port", &here(snippet(&format!("{folder}/port"))));
    match node.name() {
        "leaf" => node.write("etc/call", &snippet("uucp/leaf/call")),
        _ => node.write("etc/passwd", &snippet("uucp/hub/passwd")),
    }
}

impl Pair {
    fn queue(&self) {
        let arguments = [
            "-r",
            "-aann@leaf.example",
            "-",
            "hub!rmail",
            "(bob@hub.example)",
        ];
        let message = b"From: ann@leaf.example\nSubject: a snippet\n\nhello\n";
        self.leaf
            .run_with_input("uux", &arguments, message)
            .expect_success("uux");
    }

    /// `run-uuxqt once` of hub's config starts uuxqt at the end of the call; that of its own does no harm.
    fn expect_delivery(&self) {
        process::wait_for("the message to be delivered", process::PATIENCE, || {
            self.hub.run("uuxqt", &[]).expect_success("uuxqt");
            (self.mailboxes.messages().len() == 1).then_some(())
        });
        assert_eq!(self.leaf.leftovers(), Vec::<String>::new());
    }

    /// Answers one call as inetd and systemd do: the socket is standard input and output.
    fn answer_on_socket(&self, arguments: &[&str], call: Running, line: &TcpListener) {
        let (socket, _) = line.accept().expect("the call");
        let mut command = self.hub.command("uucico");
        command
            .args(arguments)
            .stdin(OwnedFd::from(socket.try_clone().unwrap()))
            .stdout(OwnedFd::from(socket))
            .stderr(Stdio::null());
        let mut answerer = command.spawn().expect("the answerer");
        call.finish(process::PATIENCE).expect_success("the call");
        process::wait_for("the answerer to end", process::PATIENCE, || {
            answerer.try_wait().unwrap()
        });
    }
}

/// The words after the program in a line that names it by its installed path.
fn arguments_after<'a>(line: &'a str, program: &str) -> Vec<&'a str> {
    let (_, rest) = line
        .split_once(&format!("{INSTALLED}/{program}"))
        .unwrap_or_else(|| panic!("no {program} in {line:?}"));
    rest.split_whitespace().collect()
}

fn line_with(text: &str, start: &str) -> String {
    let found = text
        .lines()
        .find(|line| line.trim_start().starts_with(start));
    found
        .unwrap_or_else(|| panic!("no line {start} in:\n{text}"))
        .trim()
        .to_owned()
}

#[test]
fn uucp_files_and_a_listener_of_our_own() {
    let port = free_port();
    let pair = pair(port);
    let mut listener = pair.hub.start("uucico", &["-D", "-e", "-p", "listen"]);
    process::wait_for("uucico to listen", process::PATIENCE, || {
        assert!(
            !listener.has_ended(),
            "uucico ended: {}",
            listener.printed()
        );
        is_listening(port).then_some(())
    });
    pair.queue();
    pair.leaf
        .run("uucico", &["-s", "hub"])
        .expect_success("the call");
    pair.expect_delivery();
}

#[test]
fn inetd_and_xinetd() {
    let inetd = line_with(&snippet("inetd/inetd.conf"), "uucp stream tcp nowait uucp");
    // After the program stands its argv[0], then its arguments.
    let mut words = arguments_after(&inetd, "uucico");
    assert_eq!(words.remove(0), "uucico");
    let xinetd = snippet("inetd/xinetd.conf");
    assert!(line_with(&xinetd, "server ").ends_with("/uucico"));
    let xinetd = line_with(&xinetd, "server_args");
    let (_, of_xinetd) = xinetd.split_once('=').unwrap();
    for arguments in [words, of_xinetd.split_whitespace().collect()] {
        let line = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let pair = pair(line.local_addr().unwrap().port());
        pair.queue();
        pair.answer_on_socket(&arguments, pair.leaf.start("uucico", &["-s", "hub"]), &line);
        pair.expect_delivery();
    }
}

#[test]
fn systemd_units() {
    let answer = snippet("systemd/uucico@.service");
    assert_eq!(line_with(&answer, "StandardInput"), "StandardInput=socket");
    let answer = line_with(&answer, "ExecStart");
    let call = line_with(&snippet("systemd/uucp-call@.service"), "ExecStart").replace("%i", "hub");
    let line = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let pair = pair(line.local_addr().unwrap().port());
    pair.queue();
    let call = pair.leaf.start("uucico", &arguments_after(&call, "uucico"));
    pair.answer_on_socket(&arguments_after(&answer, "uucico"), call, &line);
    let execute = line_with(&snippet("systemd/uuxqt.service"), "ExecStart");
    pair.hub
        .run("uuxqt", &arguments_after(&execute, "uuxqt"))
        .expect_success("uuxqt");
    pair.expect_delivery();
    for (timer, service) in [
        ("uuxqt.timer", "uuxqt.service"),
        ("uucp-call@.timer", "uucp-call@.service"),
    ] {
        assert!(snippet(&format!("systemd/{timer}")).contains("[Timer]"));
        assert!(snippet(&format!("systemd/{service}")).contains("Type=oneshot"));
    }
    assert!(snippet("systemd/uucico.socket").contains("Accept=yes"));
    let daemon = snippet("systemd/uucico.service");
    // What it does is tested with the daemon itself.
    let start = line_with(&daemon, "ExecStart");
    assert_eq!(arguments_after(&start, "uucico"), ["--daemon"]);
    assert_eq!(line_with(&daemon, "Type"), "Type=notify");
    // systemd would end uuxqt together with the call that has started it, and keep an MTA's setgid programs from it.
    for service in ["uucico.service", "uucico@.service", "uucp-call@.service"] {
        let unit = snippet(&format!("systemd/{service}"));
        assert_eq!(line_with(&unit, "KillMode"), "KillMode=process");
        assert!(!unit.contains("NoNewPrivileges=yes"), "{service}");
    }
    assert!(snippet("systemd/uucico-daemon.socket").contains("Service=uucico.service"));
}

#[test]
fn ssh_with_a_forced_command() {
    let pair = pair(1);
    let keys = snippet("ssh/authorized_keys");
    let key = line_with(&keys, "restrict,");
    let forced = key.split('"').nth(1).expect("a forced command");
    let arguments = arguments_after(forced, "uucico").join(" ");
    // What sshd does: it runs the forced command, whatever the client asked for.
    let uucico = format!(
        "{} -I {} {arguments}",
        programs::bin("uucico").display(),
        pair.hub.config().display()
    );
    let ports = snippet("ssh/port");
    let ssh = line_with(&ports, "command /usr/bin/ssh");
    pair.leaf.write(
        "etc/port",
        &ports.replace(&ssh, &format!("command {uucico}")),
    );
    let bin = pair.leaf.path("bin").display().to_string();
    pair.leaf
        .write("etc/sys", &snippet("ssh/sys").replace(INSTALLED, &bin));
    pair.queue();
    pair.leaf
        .run("uucico", &["-s", "hub"])
        .expect_success("the call");
    pair.expect_delivery();
}

#[test]
fn tls_under_inetd() {
    let line = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let number = line.local_addr().unwrap().port();
    let pair = pair(number);
    for node in [&pair.leaf, &pair.hub] {
        let before = process::lossy(&node.path("etc/port"));
        let port = snippet("tls/port").replace("service 4031", &format!("service {number}"));
        node.write("etc/port", &format!("{before}\n{port}"));
    }
    let sys = snippet("tls/sys").replace("hub.example", "127.0.0.1");
    let bin = pair.leaf.path("bin").display().to_string();
    pair.leaf.write("etc/sys", &sys.replace(INSTALLED, &bin));
    let delivery = process::lossy(&pair.hub.path("etc/mail.toml"));
    pair.leaf.befriend(&pair.hub);
    // The hub's is the snippet, with the key in it that leaf has printed.
    let printed = process::lossy(&pair.hub.path("etc/mail.toml"));
    let pin = line_with(&printed, "pins = ");
    let rules = snippet("tls/mail.toml");
    let rules = rules.replace(&line_with(&rules, "pins = "), &pin);
    pair.hub
        .write("etc/mail.toml", &format!("{delivery}\n{rules}"));
    pair.queue();
    let inetd = line_with(&snippet("tls/inetd.conf"), "suucp stream tcp nowait uucp");
    let arguments = arguments_after(&inetd, "uucico");
    let call = pair.leaf.start("uucico", &["-s", "hub"]);
    pair.answer_on_socket(&arguments[1..], call, &line);
    pair.expect_delivery();
    // `required` is meant: the plain port, with the right password, is not enough.
    let plain = snippet("uucp/leaf/sys").replace("hub.example", "127.0.0.1");
    pair.leaf.write("etc/sys", &plain.replace(INSTALLED, &bin));
    let call = pair.leaf.start("uucico", &["-S", "hub"]);
    let (socket, _) = line.accept().expect("the call");
    let mut answerer = pair.hub.command("uucico");
    answerer
        .arg("-l")
        .stdin(OwnedFd::from(socket.try_clone().unwrap()))
        .stdout(OwnedFd::from(socket))
        .stderr(Stdio::null());
    assert!(!answerer.status().unwrap().success());
    assert!(!call.finish(process::PATIENCE).status.success());
    let log = pair.hub.log();
    assert!(log.contains("System leaf called without TLS"), "{log}");
}

#[test]
fn debians_uuchk_reads_the_same_files() {
    let Some(peers) = peers_or_skip("snippets: uuchk") else {
        return;
    };
    let pair = pair(1540);
    for (node, system) in [(&pair.leaf, "hub"), (&pair.hub, "leaf")] {
        // A port that Taylor's cannot know does not hide the others.
        let ports = process::lossy(&node.path("etc/port"));
        node.write("etc/port", &(snippet("tls/port") + "\n" + &ports));
        let mut command = process::command_as(node.owner(), &peers.taylor("uuchk"));
        command.arg("-I").arg(node.config()).args(["-s", system]);
        let finished = process::run(command, pair.site.path());
        finished.expect_success("uuchk");
        assert!(
            finished.output.contains("May execute rmail"),
            "{}",
            finished.output
        );
        if system == "hub" {
            let output = &finished.output;
            assert!(output.contains("Port name hub-tcp"), "{output}");
        }
    }
}

#[test]
fn uuchk_has_nothing_against_the_snippets() {
    let pair = pair(1540);
    for node in [&pair.leaf, &pair.hub] {
        // The nodes of tests name one, which the snippets do not need.
        node.write("etc/dial", "");
        let mut command = process::command_as(node.owner(), &programs::bin("uuchk"));
        command.arg("-I").arg(node.config());
        let finished = process::run(command, pair.site.path());
        finished.expect_success("uuchk");
    }
}
