//! `uucico` as a program: two nodes in temporary directories, joined by sockets and pipes.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use uucp_core::address::{Address, ReversePath};
use uucp_core::bsmtp::Transaction;
use uucp_core::config::Config;
use uucp_core::name::Grade;
use uucp_core::outbox::OutboxDraft;
use uucp_core::spool::Spool;

const UUCICO: &str = env!("CARGO_BIN_EXE_uucico");
const UUX: &str = env!("CARGO_BIN_EXE_uux");

/// One node.
struct Node {
    root: PathBuf,
}

impl Node {
    /// `port` is the number that TCP calls go to; `sys` are further lines for the description of the other system.
    fn new(root: &Path, name: &str, peer: &str, port: u16, sys: &str) -> Self {
        let root = root.join(name);
        for folder in ["spool", "log", "lock", "pub", "etc"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let node = Self { root };
        let at = |path: &str| node.root.join(path).display().to_string();
        node.write("etc/config", &format!(
            "nodename {name}\nspool {}\npubdir {}\nlockdir {}\nlogfile {}\nstatfile {}\ndebugfile {}\nrun-uuxqt never\n",
            at("spool"), at("pub"), at("lock"), at("log/Log"), at("log/Stats"), at("log/Debug")
        ));
        node.write("etc/call", &format!("{peer} U{name} secret-of-{name}\n"));
        node.write("etc/passwd", &format!("U{peer} secret-of-{peer}\n"));
        node.write(
            "etc/sys",
            &format!("system {peer}\ntime any\ncall-login *\ncall-password *\ncalled-login U{peer}\naddress 127.0.0.1\nport out\nchat ogin: \\L word: \\P\n{sys}\n"),
        );
        node.write("etc/port", &format!("port out\ntype tcp\nservice {port}\n"));
        node
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn append(&self, path: &str, text: &str) {
        let before = fs::read_to_string(self.root.join(path)).unwrap();
        self.write(path, &format!("{before}{text}"));
    }

    fn config(&self) -> PathBuf {
        self.root.join("etc/config")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-I").arg(self.config()).stdin(Stdio::null());
        command
    }

    fn uucico(&self, arguments: &[&str]) -> Output {
        self.command(UUCICO).args(arguments).output().unwrap()
    }

    /// Queues one mail.
    fn queue(&self, peer: &str, recipient: &str, content: &[u8]) {
        let mut child = self
            .command(UUX)
            .args([
                "-r",
                "-",
                &format!("{peer}!rmail"),
                &format!("({recipient})"),
            ])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(content).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Answers the next call that `listener` gets, as inetd does.
    fn answer(&self, listener: &TcpListener, arguments: &[&str]) -> Child {
        let (socket, _) = listener.accept().unwrap();
        let output = socket.try_clone().unwrap();
        self.command(UUCICO)
            .args(arguments)
            .stdin(OwnedFd::from(socket))
            .stdout(OwnedFd::from(output))
            .spawn()
            .unwrap()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join("spool").join(folder));
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The contents of the data files that came from a system, sorted.
    fn arrived(&self, peer: &str) -> Vec<Vec<u8>> {
        let folder = self.root.join("spool").join(peer).join("D.");
        let mut all: Vec<Vec<u8>> = self
            .names(&format!("{peer}/D."))
            .iter()
            .map(|name| fs::read(folder.join(name)).unwrap())
            .collect();
        all.sort();
        all
    }

    /// Puts messages into the outbox.
    fn put(&self, peer: &str, words: &[&str]) {
        let config = Config::load(Some(&self.config())).unwrap();
        let spool = Spool::open(&config).unwrap();
        let bob = Address::parse(b"bob@hub.example").unwrap();
        let envelope = Transaction::new(ReversePath::Null, vec![bob.into()]);
        let sealed = words.iter().map(|word| {
            let mut draft = OutboxDraft::new(&spool, &peer.parse().unwrap()).unwrap();
            write!(draft, "Subject: {word}\n").unwrap();
            draft.seal(&envelope, Grade::DEFAULT).unwrap()
        });
        spool.queue_messages(sealed.collect()).unwrap();
    }

    fn queued(&self, peer: &str) -> usize {
        self.names(&format!("{peer}/C.")).len()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.root.join("log/Log")).unwrap_or_default()
    }

    fn debug(&self) -> String {
        fs::read_to_string(self.root.join("log/Debug")).unwrap_or_default()
    }

    fn status(&self, peer: &str) -> String {
        fs::read_to_string(self.root.join("spool/.Status").join(peer)).unwrap_or_default()
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Two nodes and the socket that calls from alpha come in on.
struct Lab {
    _folder: tempfile::TempDir,
    alpha: Node,
    beta: Node,
    listener: TcpListener,
}

impl Lab {
    fn new(sys: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            alpha: Node::new(folder.path(), "alpha", "beta", port, sys),
            beta: Node::new(folder.path(), "beta", "alpha", port, sys),
            _folder: folder,
            listener,
        }
    }

    /// One call of alpha, answered with prompts; exit statuses of both sides.
    fn call(&self) -> (Output, bool) {
        let caller = self
            .alpha
            .command(UUCICO)
            .args(["-S", "beta"])
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answerer = self.beta.answer(&self.listener, &["-l"]);
        let output = caller.wait_with_output().unwrap();
        let good = answerer.wait().unwrap().success();
        (output, good)
    }
}

#[test]
fn a_call_with_login_moves_the_jobs_of_both_sides() {
    for protocol in ["t", "e", "g", "i"] {
        let lab = Lab::new(&format!("protocol {protocol}"));
        let sizes = [0, 1, 1024, 70_000];
        let contents: Vec<Vec<u8>> = sizes.iter().map(|size| vec![b'x'; *size]).collect();
        for content in &contents {
            lab.alpha.queue("beta", "joe", content);
            lab.beta.queue("alpha", "ann", content);
        }
        let (output, answered) = lab.call();
        assert!(
            output.status.success() && answered,
            "{protocol}: {}",
            text(&output)
        );
        assert!(lab.beta.arrived("alpha") == contents, "{protocol}");
        assert!(lab.alpha.arrived("beta") == contents, "{protocol}");
        assert_eq!((lab.alpha.queued("beta"), lab.beta.queued("alpha")), (0, 0));
        assert_eq!(lab.beta.names("alpha/X.").len(), sizes.len());
        let log = lab.alpha.log();
        for line in [
            "Calling system beta (port out)",
            "Login successful",
            &format!("Handshake successful (protocol '{protocol}'"),
            "Call complete (",
        ] {
            assert!(log.contains(line), "{protocol}: no '{line}' in\n{log}");
        }
        assert!(
            lab.beta
                .log()
                .contains("Incoming call (login Ualpha port TCP)")
        );
        assert!(
            lab.alpha
                .status("beta")
                .ends_with(" Conversation complete beta\n")
        );
    }
}

#[test]
fn what_waits_in_the_outbox_is_a_reason_to_call_and_goes_in_batches_both_ways() {
    let lab = Lab::new("protocol t");
    let put = |node: &Node, peer: &str| {
        node.write("etc/mail.toml", "[sending]\ncompression = \"gzip\"\n");
        node.put(peer, &["one", "two", "three"]);
    };
    put(&lab.alpha, "beta");
    put(&lab.beta, "alpha");
    let caller = lab
        .alpha
        .command(UUCICO)
        .args(["-r1", "-C"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
    let output = caller.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(answerer.wait().unwrap().success());
    for (node, peer) in [(&lab.alpha, "beta"), (&lab.beta, "alpha")] {
        let arrived = node.arrived(peer);
        assert_eq!(arrived.len(), 1, "one batch");
        assert_eq!(arrived[0].get(..2), Some(&[0x1f, 0x8b][..]), "gzip");
        let execute = node.names(&format!("{peer}/X."));
        let path = node
            .root
            .join("spool")
            .join(peer)
            .join("X.")
            .join(&execute[0]);
        let text = fs::read_to_string(path).unwrap();
        assert!(text.lines().any(|line| line == "C rgsmtp"), "{text}");
        assert!(
            node.names(&format!(".Bangpath/outbox/{peer}/queue"))
                .is_empty()
        );
        assert!(
            node.names(&format!(".Bangpath/outbox/{peer}/packed"))
                .is_empty()
        );
        assert!(node.log().contains("Packed 3 messages, "), "{}", node.log());
    }
    // Nothing waits any more, or nothing that uucico carries.
    lab.alpha
        .write("etc/mail.toml", "[sending]\ncarrier = \"nncp\"\n");
    lab.alpha.put("beta", &["four"]);
    let output = lab.alpha.uucico(&["-C", "-s", "beta", "-f"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(lab.alpha.log().contains("No work"), "{}", lab.alpha.log());
    assert_eq!(lab.alpha.names(".Bangpath/outbox/beta/queue").len(), 1);
}

#[test]
fn a_program_on_a_pipe_is_a_line_too() {
    let lab = Lab::new("");
    lab.alpha.write(
        "etc/port",
        &format!(
            "port out\ntype pipe\ncommand {UUCICO} -I {} --login Ualpha\n",
            lab.beta.config().display()
        ),
    );
    lab.alpha.append("etc/sys", "chat \"\"\n");
    lab.alpha.queue("beta", "joe", b"over a pipe");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(lab.beta.arrived("alpha"), [b"over a pipe"]);
    // What is not told to be reliable from end to end gets `i`, as with the peer.
    assert!(lab.alpha.log().contains("protocol 'i'"));
}

#[test]
fn a_wrong_password_leaves_the_job_queued_and_says_so() {
    let lab = Lab::new("");
    lab.alpha.write("etc/call", "beta Ualpha wrong\n");
    lab.alpha.queue("beta", "joe", b"mail");
    let (output, answered) = lab.call();
    assert_eq!(output.status.code(), Some(1));
    assert!(!answered && lab.alpha.queued("beta") == 1);
    assert!(
        lab.beta.log().contains("ERROR: Bad login"),
        "{}",
        lab.beta.log()
    );
    assert!(!lab.beta.log().contains("wrong"));
    assert!(
        text(&output).starts_with("uucico: beta: "),
        "{}",
        text(&output)
    );
}

#[test]
fn a_failed_call_is_not_repeated_at_once_unless_forced() {
    let lab = Lab::new("");
    lab.alpha.queue("beta", "joe", b"mail");
    let caller = lab
        .alpha
        .command(UUCICO)
        .args(["-s", "beta"])
        .spawn()
        .unwrap();
    drop(lab.listener.accept().unwrap());
    assert_eq!(caller.wait_with_output().unwrap().status.code(), Some(1));
    assert!(lab.alpha.log().contains("ERROR: Line disconnected"));
    assert!(
        lab.alpha.status("beta").starts_with("3 1 "),
        "{}",
        lab.alpha.status("beta")
    );
    let again = lab.alpha.uucico(&["-s", "beta"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again).contains("Retry time not reached"),
        "{}",
        text(&again)
    );
    let quiet = lab.alpha.uucico(&["-c", "-s", "beta"]);
    assert_eq!(text(&quiet), "");
    let (forced, _) = lab.call();
    assert!(forced.status.success(), "{}", text(&forced));
    assert_eq!(lab.alpha.queued("beta"), 0);
    assert!(lab.alpha.status("beta").starts_with("0 0 "));
}

#[test]
fn what_cannot_be_called_is_told() {
    let lab = Lab::new("");
    let unknown = lab.alpha.uucico(&["-s", "gamma"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown).contains("gamma: System not found"));
    // Without work -C is content, and nobody is called.
    assert!(lab.alpha.uucico(&["-C", "-s", "beta"]).status.success());
    assert!(lab.alpha.uucico(&["-r1"]).status.success());
    let sys = fs::read_to_string(lab.alpha.root.join("etc/sys")).unwrap();
    lab.alpha
        .write("etc/sys", &sys.replace("time any", "time never"));
    let never = lab.alpha.uucico(&["-s", "beta"]);
    assert!(
        text(&never).contains("Wrong time to call"),
        "{}",
        text(&never)
    );
    lab.listener.set_nonblocking(true).unwrap();
    assert!(lab.listener.accept().is_err(), "somebody was called");
}

#[test]
fn nobody_there_is_a_dial_failure() {
    let lab = Lab::new("");
    lab.alpha.queue("beta", "joe", b"mail");
    let Lab {
        listener, alpha, ..
    } = &lab;
    let port = listener.local_addr().unwrap().port();
    // A port that was just closed refuses.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = gone.local_addr().unwrap().port();
    drop(gone);
    assert_ne!(port, closed);
    alpha.write(
        "etc/port",
        &format!("port out\ntype tcp\nservice {closed}\n"),
    );
    let output = alpha.uucico(&["-S", "beta"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        alpha.status("beta").starts_with("2 1 "),
        "{}",
        alpha.status("beta")
    );
    assert_eq!(alpha.queued("beta"), 1);
}

#[test]
fn calls_are_numbered_where_both_sides_want_it() {
    let lab = Lab::new("sequence true");
    for _ in 0..2 {
        let (output, answered) = lab.call();
        assert!(output.status.success() && answered, "{}", text(&output));
    }
    // One side loses count.
    fs::remove_file(lab.alpha.root.join("spool/.Sequence/beta")).unwrap();
    let (output, _) = lab.call();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("sequence number"),
        "{}",
        text(&output)
    );
    assert!(lab.beta.log().contains("Out of sequence"));
}

#[test]
fn callers_that_may_not_come_in_are_told_why() {
    let lab = Lab::new("");
    let sys = fs::read_to_string(lab.beta.root.join("etc/sys")).unwrap();
    for (line, told) in [
        ("called-login Usomeone\n", "another login name"),
        ("callback true\n", "will call back"),
    ] {
        lab.beta.write("etc/sys", &format!("{sys}{line}"));
        let (output, _) = lab.call();
        assert!(text(&output).contains(told), "{}", text(&output));
    }
    // The promise to call back is kept: a poll request.
    assert_eq!(lab.beta.queued("alpha"), 1);
    lab.beta.write("etc/sys", &sys.replace("alpha", "delta"));
    let (output, _) = lab.call();
    assert!(text(&output).contains("unknown to me"), "{}", text(&output));
}

#[test]
fn a_server_takes_calls_until_it_is_told_to_stop() {
    let lab = Lab::new("");
    let number = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    lab.alpha.write(
        "etc/port",
        &format!("port out\ntype tcp\nservice {number}\n"),
    );
    let mut server = lab
        .beta
        .command(UUCICO)
        .args(["--port", &number.to_string(), "--loop"])
        .spawn()
        .unwrap();
    while TcpStream::connect(("127.0.0.1", number)).is_err() {
        assert!(server.try_wait().unwrap().is_none(), "the server has ended");
        std::thread::yield_now();
    }
    for content in [b"one", b"two"] {
        lab.alpha.queue("beta", "joe", content);
        let output = lab.alpha.uucico(&["-S", "beta"]);
        assert!(output.status.success(), "{}", text(&output));
    }
    assert_eq!(lab.beta.arrived("alpha"), [b"one", b"two"]);
    let kill = Command::new("kill")
        .arg(server.id().to_string())
        .status()
        .unwrap();
    assert!(kill.success());
    assert!(server.wait().unwrap().success());
}

#[test]
fn strangers_and_garbage_end_the_call_and_nothing_else() {
    let lab = Lab::new("");
    let port = lab.listener.local_addr().unwrap().port();
    let login = b"Ualpha\rsecret-of-alpha\r".to_vec();
    let with = |more: &[u8]| [login.as_slice(), more].concat();
    let cases: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0; 100_000],
        vec![0x10; 100_000],
        with(b"\x10S\x00"),
        with(b"\x10S../../x -R -N047\x00"),
        with(&[b"\x10S".as_slice(), &[b'a'; 10_000], b"\x00"].concat()),
        with(b"\x10Salpha -N047\x00\x10Uz\x00"),
        with(b"\x10Salpha -R -N047\x00\x10Ut\x00\xff\xff\xff\xff\xff\xff"),
        with(
            &[
                b"\x10Salpha -N047\x00\x10Ut\x00".as_slice(),
                &[b'S'; 20_000],
            ]
            .concat(),
        ),
    ];
    for case in cases {
        let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
        // The other side may hang up before it has read everything.
        let _ = peer.write_all(&case);
        let _ = peer.shutdown(std::net::Shutdown::Write);
        let _ = peer.read_to_end(&mut Vec::new());
        let status = answerer.wait().unwrap();
        assert_eq!(
            status.code(),
            Some(1),
            "{}",
            case[..case.len().min(60)].escape_ascii()
        );
    }
    assert!(!lab.beta.log().contains("internal error"));
    // The next call finds nothing in its way.
    lab.alpha.queue("beta", "joe", b"mail");
    let (output, _) = lab.call();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn files_outside_the_spool_are_never_named_by_the_peer() {
    for to in ["../../../../tmp/x", "/etc/x", "~/../x", "D.../../x", "C.x"] {
        let lab = Lab::new("");
        let port = lab.listener.local_addr().unwrap().port();
        let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
        let mut command = format!("S f {to} u - D.0001 0644 \"\" 0x1").into_bytes();
        command.resize(512, 0);
        let all = [
            b"Ualpha\rsecret-of-alpha\r\x10Salpha -R -N047\x00\x10Ut\x00".as_slice(),
            &command,
        ]
        .concat();
        peer.write_all(&all).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = Vec::new();
        let _ = peer.read_to_end(&mut said);
        answerer.wait().unwrap();
        let said = said.escape_ascii().to_string();
        assert!(said.contains("SN2") || said.contains("SN4"), "{to}: {said}");
    }
}

/// A program of the other side, in a file.
fn script(node: &Node, name: &str, text: &str) -> PathBuf {
    let path = node.root.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[test]
fn a_terminal_made_for_the_answering_side_carries_every_byte() {
    // As `ssh -tt` with a forced command: a terminal that echoes and translates until the answerer has made it raw.
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: no script(1)");
        return;
    }
    for protocol in ["i", "g"] {
        let lab = Lab::new(&format!("sequence true\nprotocol {protocol}"));
        let answer = script(
            &lab.beta,
            "answer",
            &format!(
                "exec {UUCICO} -I {} --prompt --login Ualpha",
                lab.beta.config().display()
            ),
        );
        lab.alpha.write(
            "etc/port",
            &format!(
                "port out\ntype pipe\ncommand script -qec {} /dev/null\n",
                answer.display()
            ),
        );
        lab.alpha.append("etc/sys", "chat word: \\P\n");
        let content: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
        lab.alpha.queue("beta", "joe", &content);
        lab.beta.queue("alpha", "ann", &content);
        let output = lab.alpha.uucico(&["-S", "beta"]);
        assert!(
            output.status.success(),
            "{protocol}: {}\n{}",
            text(&output),
            lab.beta.log()
        );
        assert!(lab.beta.arrived("alpha") == [content.clone()], "{protocol}");
        assert!(lab.alpha.arrived("beta") == [content], "{protocol}");
        assert!(lab.beta.log().contains("(login Ualpha port stdin)"));
    }
}

#[test]
fn uuxqt_is_started_after_so_many_executions_and_at_the_end() {
    let lab = Lab::new("");
    // A uuxqt of our own beside a copy of the program.
    let program = lab.beta.root.join("uucico");
    fs::copy(UUCICO, &program).unwrap();
    let told = lab.beta.root.join("told");
    script(
        &lab.beta,
        "uuxqt",
        &format!(
            "ls {}/spool/alpha/X. | wc -l >> {}",
            lab.beta.root.display(),
            told.display()
        ),
    );
    let config = fs::read_to_string(lab.beta.config()).unwrap();
    lab.beta.write(
        "etc/config",
        &config.replace("run-uuxqt never", "run-uuxqt 2"),
    );
    for _ in 0..5 {
        lab.alpha.queue("beta", "joe", b"mail");
    }
    let caller = lab
        .alpha
        .command(UUCICO)
        .args(["-S", "beta"])
        .spawn()
        .unwrap();
    let (socket, _) = lab.listener.accept().unwrap();
    let output = socket.try_clone().unwrap();
    let mut answerer = lab
        .beta
        .command(program.to_str().unwrap())
        .args(["-l", "-D"])
        .stdin(OwnedFd::from(socket))
        .stdout(OwnedFd::from(output))
        .spawn()
        .unwrap();
    assert!(caller.wait_with_output().unwrap().status.success());
    assert!(answerer.wait().unwrap().success());
    // With -D the last one is waited for. Those before it may still be counting: each line is a run.
    let runs = || fs::read_to_string(&told).unwrap();
    assert!(runs().lines().any(|line| line.trim() == "5"), "{}", runs());
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while runs().lines().count() < 2 {
        assert!(std::time::Instant::now() < patience, "{}", runs());
        std::thread::yield_now();
    }
}

#[test]
fn chat_programs_speak_on_the_line_and_decide() {
    let lab = Lab::new("");
    // On both sides: the caller's before the handshake, the answerer's between the choice of the protocol and its start.
    let dial = script(
        &lab.alpha,
        "dial",
        "echo \"dialling $1 as $2\" >&2; printf 'knock\\r'; read word; test \"$word\" = knocked",
    );
    let called = script(&lab.beta, "called", "echo \"called by $1\" >&2; exit 0");
    let answer = script(
        &lab.beta,
        "answer",
        &format!(
            "word=$(dd bs=1 count=6 2>/dev/null); echo knocked; exec {UUCICO} -I {} -u Ualpha",
            lab.beta.config().display()
        ),
    );
    lab.alpha.write(
        "etc/port",
        &format!("port out\ntype pipe\ncommand {}\n", answer.display()),
    );
    lab.alpha.append(
        "etc/sys",
        &format!("chat \"\"\nchat-program {} \\Z \\L\n", dial.display()),
    );
    lab.beta.append(
        "etc/sys",
        &format!("called-chat-program {} \\Z\n", called.display()),
    );
    lab.alpha.queue("beta", "joe", b"mail");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output),
        lab.beta.log()
    );
    assert_eq!(lab.beta.arrived("alpha"), [b"mail"]);
    let log = lab.alpha.log();
    assert!(log.contains("chat: dialling beta as Ualpha"), "{log}");
    let log = lab.beta.log();
    assert!(log.contains("chat: called by alpha"), "{log}");
    // One that fails ends the call; the job stays.
    script(&lab.alpha, "dial", "exit 3");
    lab.alpha.queue("beta", "joe", b"mail");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(
        text(&output).contains("Chat program failed (exit status: 3)"),
        "{}",
        text(&output)
    );
    assert_eq!(lab.alpha.queued("beta"), 1);
    // So does one that never ends.
    script(&lab.alpha, "dial", "read nothing; sleep 100000");
    lab.alpha.append("etc/sys", "chat-timeout 0\n");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    let told = text(&output);
    assert!(told.contains("did not end within 0 seconds"), "{told}");
    assert!(lab.alpha.status("beta").starts_with("3 2 "));
    assert_eq!(lab.alpha.queued("beta"), 1);
}

#[test]
fn a_signal_in_mid_call_leaves_the_jobs_and_no_lock() {
    let lab = Lab::new("protocol t");
    lab.alpha.queue("beta", "joe", &vec![b'x'; 3_000_000]);
    let caller = lab
        .alpha
        .command(UUCICO)
        .args(["-S", "beta"])
        .spawn()
        .unwrap();
    let (mut peer, _) = lab.listener.accept().unwrap();
    // A peer that takes the request and no file.
    let mut expect = |wanted: &[u8]| {
        let mut seen = Vec::new();
        while !seen.ends_with(wanted) {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        peer.try_clone().unwrap()
    };
    let mut peer = TcpStream::from(OwnedFd::from({
        let mut line = expect(b"");
        line.write_all(b"login: ").unwrap();
        expect(b"Ualpha\r").write_all(b"Password:").unwrap();
        expect(b"secret-of-alpha\r")
            .write_all(b"\x10Shere=beta\0")
            .unwrap();
        expect(b"N03147\0")
            .write_all(b"\x10ROKN047\0\x10Pt\0")
            .unwrap();
        expect(b"\x10Ut\0");
        let mut request = vec![0; 512];
        line.read_exact(&mut request).unwrap();
        let mut yes = b"EY".to_vec();
        yes.resize(512, 0);
        line.write_all(&yes).unwrap();
        line
    }));
    peer.read_exact(&mut [0; 1000]).unwrap();
    assert_eq!(
        fs::read_dir(lab.alpha.root.join("lock")).unwrap().count(),
        1
    );
    let kill = Command::new("kill").arg(caller.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert_eq!(caller.wait_with_output().unwrap().status.code(), Some(1));
    assert_eq!(lab.alpha.queued("beta"), 1);
    assert_eq!(lab.alpha.names("beta/D.").len(), 1);
    assert_eq!(
        fs::read_dir(lab.alpha.root.join("lock")).unwrap().count(),
        0
    );
    let log = lab.alpha.log();
    assert!(log.contains("ERROR: Got termination signal"), "{log}");
}

#[test]
fn debugging_shows_the_line_the_packets_and_the_bytes() {
    for protocol in ["t", "g", "i"] {
        let lab = Lab::new(&format!("protocol {protocol}"));
        lab.alpha.queue("beta", "joe", b"the content of a mail");
        let caller = lab
            .alpha
            .command(UUCICO)
            .args([
                "-S",
                "beta",
                "-x",
                "uucp-proto,proto",
                "-x",
                "port,incoming,outgoing",
            ])
            .spawn()
            .unwrap();
        let mut answerer = lab.beta.answer(&lab.listener, &["-l", "-x", "handshake"]);
        assert!(caller.wait_with_output().unwrap().status.success());
        assert!(answerer.wait().unwrap().success());
        let debug = lab.alpha.debug();
        for (kind, said) in [
            ("port", "connecting"),
            ("port", "hanging up"),
            ("uucp_proto", "rmail joe"),
            ("uucp_proto", "received command=CY"),
            ("proto", "file data sent"),
            ("incoming", "Shere=beta"),
            ("outgoing", "the content of a mail"),
        ] {
            let kind = format!(" uucp::{kind}: ");
            let shown = |line: &str| line.contains(&kind) && line.contains(said);
            assert!(
                debug.lines().any(shown),
                "{protocol}: {kind}{said}:\n{debug}"
            );
        }
        if protocol != "t" {
            let packet = |line: &str| line.contains(" uucp::proto: received");
            assert!(debug.lines().any(packet), "{protocol}:\n{debug}");
        }
        assert!(!debug.contains(" uucp::chat:"), "{debug}");
        let debug = lab.beta.debug();
        assert!(
            debug
                .lines()
                .all(|line| line.contains(" uucp::handshake: "))
        );
        assert!(debug.contains("Salpha"), "{debug}");
    }
}

#[test]
fn debugging_of_a_system_begins_and_ends_with_its_call() {
    let lab = Lab::new("debug handshake\n");
    let port = lab.listener.local_addr().unwrap().port();
    let gamma = Node::new(lab.alpha.root.parent().unwrap(), "gamma", "alpha", port, "");
    lab.alpha.append(
        "etc/sys",
        "system gamma\ndebug none\ntime any\ncall-login *\ncall-password *\naddress 127.0.0.1\nport out\nchat ogin: \\L word: \\P\n",
    );
    lab.alpha
        .append("etc/call", "gamma Ualpha secret-of-alpha\n");
    for system in ["beta", "gamma"] {
        lab.alpha.queue(system, "joe", b"mail");
    }
    // One process calls both, one after the other.
    let caller = lab.alpha.command(UUCICO).arg("-r1").spawn().unwrap();
    for node in [&lab.beta, &gamma] {
        let mut answerer = node.answer(&lab.listener, &["-l"]);
        assert!(answerer.wait().unwrap().success());
    }
    assert!(caller.wait_with_output().unwrap().status.success());
    let debug = lab.alpha.debug();
    assert!(debug.contains("Shere=beta"), "{debug}");
    assert!(!debug.contains("Shere=gamma"), "{debug}");
    // The called side knows who it is when it has read the name.
    let debug = lab.beta.debug();
    assert!(
        debug.contains("caller is known") && debug.contains("Ut"),
        "{debug}"
    );
    assert_eq!(gamma.debug(), "");
}

#[test]
fn a_caller_gets_the_debugging_it_asks_for_and_may_have() {
    for (limit, shown, hidden) in [
        ("", "uucp::handshake", "uucp::incoming"),
        (
            "max-remote-debug incoming",
            "uucp::incoming",
            "uucp::handshake",
        ),
        ("max-remote-debug none", "", "uucp::"),
    ] {
        let lab = Lab::new(limit);
        let port = lab.listener.local_addr().unwrap().port();
        let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut answerer = lab.beta.answer(&lab.listener, &["-l"]);
        peer.write_all(b"Ualpha\rsecret-of-alpha\r\x10Salpha -x0x7ff -N047\0\x10")
            .unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"\x10Pteig\0") {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            said.push(byte[0]);
        }
        peer.write_all(b"UN\0").unwrap();
        answerer.wait().unwrap();
        let debug = lab.beta.debug();
        assert!(
            debug.contains(shown) && !debug.contains(hidden),
            "{limit}: {debug}"
        );
        // What came before its name was known is not there.
        assert!(!debug.contains("secret-of-alpha"), "{debug}");
    }
}

#[test]
fn a_command_here_gets_its_files_from_there() {
    let lab = Lab::new("");
    fs::write(lab.beta.root.join("pub/f"), "of beta").unwrap();
    let public = fs::Permissions::from_mode(0o777);
    fs::set_permissions(lab.alpha.root.join("pub"), public).unwrap();
    let uux = lab
        .alpha
        .command(UUX)
        .args(["-r", "cat", "beta!~/f", ">!~/out"])
        .output();
    let uux = uux.unwrap();
    assert!(uux.status.success(), "{}", text(&uux));
    let execute = || {
        let uuxqt = lab
            .alpha
            .command(env!("CARGO_BIN_EXE_uuxqt"))
            .output()
            .unwrap();
        assert!(uuxqt.status.success(), "{}", text(&uuxqt));
    };
    // It waits for the file.
    execute();
    assert_eq!(lab.alpha.names("alpha/X.").len(), 1);
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    execute();
    let out = fs::read_to_string(lab.alpha.root.join("pub/out"));
    assert_eq!(
        out.unwrap_or_else(|_| panic!("{}", lab.alpha.log())),
        "of beta"
    );
    for folder in ["alpha/X.", "alpha/D.", "beta/C."] {
        assert!(lab.alpha.names(folder).is_empty(), "{folder}");
    }
}
