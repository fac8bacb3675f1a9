//! Two nodes in temporary directories, and the socket between them.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use uucp_core::address::{Address, ReversePath};
use uucp_core::bsmtp::Transaction;
use uucp_core::config::Config;
use uucp_core::name::Grade;
use uucp_core::outbox::OutboxDraft;
use uucp_core::spool::Spool;

use crate::runnable::write_program;
use crate::server::free_port;

pub(crate) const UUCICO: &str = env!("CARGO_BIN_EXE_uucico");
pub(crate) const UUX: &str = env!("CARGO_BIN_EXE_uux");

/// Tells a program to end, as init does.
pub(crate) fn terminate(program: &Child) {
    let kill = Command::new("kill").arg(program.id().to_string()).status();
    assert!(kill.unwrap().success());
}

/// One node.
pub(crate) struct Node {
    pub(crate) root: PathBuf,
}

impl Node {
    /// `port` is the number that TCP calls go to; `sys` are further lines for the description of the other system.
    pub(crate) fn new(root: &Path, name: &str, peer: &str, port: u16, sys: &str) -> Self {
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
            &format!("system {peer}\ntime any\ncall-login *\ncall-password *\ncalled-login U{peer}\naddress 127.0.0.1\nport out\nchat ogin: \\L word: \\P\nchat-timeout 60\n{sys}\n"),
        );
        node.write("etc/port", &format!("port out\ntype tcp\nservice {port}\n"));
        node
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn append(&self, path: &str, text: &str) {
        let before = fs::read_to_string(self.root.join(path)).unwrap();
        self.write(path, &format!("{before}{text}"));
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("etc/config")
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-I").arg(self.config()).stdin(Stdio::null());
        command
    }

    pub(crate) fn uucico(&self, arguments: &[&str]) -> Output {
        self.command(UUCICO).args(arguments).output().unwrap()
    }

    /// Queues one mail.
    pub(crate) fn queue(&self, peer: &str, recipient: &str, content: &[u8]) {
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
    pub(crate) fn answer(&self, listener: &TcpListener, arguments: &[&str]) -> Child {
        self.answer_on(accept(listener), arguments)
    }

    /// The same for a call that has been taken.
    pub(crate) fn answer_on(&self, socket: TcpStream, arguments: &[&str]) -> Child {
        let output = socket.try_clone().unwrap();
        self.command(UUCICO)
            .args(arguments)
            .stdin(OwnedFd::from(socket))
            .stdout(OwnedFd::from(output))
            .spawn()
            .unwrap()
    }

    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
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
    pub(crate) fn arrived(&self, peer: &str) -> Vec<Vec<u8>> {
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
    pub(crate) fn put(&self, peer: &str, words: &[&str]) {
        let config = Config::load(Some(&self.config())).unwrap();
        let spool = Spool::open(&config).unwrap();
        let bob = Address::parse(b"bob@hub.example").unwrap();
        let envelope = Transaction::new(ReversePath::Null, vec![bob.into()]);
        let sealed = words.iter().map(|word| {
            let mut draft = OutboxDraft::new(&spool, &peer.parse().unwrap()).unwrap();
            writeln!(draft, "Subject: {word}").unwrap();
            draft.seal(&envelope, Grade::DEFAULT).unwrap()
        });
        spool.queue_messages(sealed.collect()).unwrap();
    }

    pub(crate) fn queued(&self, peer: &str) -> usize {
        self.names(&format!("{peer}/C.")).len()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.root.join("log/Log")).unwrap_or_default()
    }

    pub(crate) fn debug(&self) -> String {
        fs::read_to_string(self.root.join("log/Debug")).unwrap_or_default()
    }

    /// Mail for users of this node that waits in its spool.
    pub(crate) fn notes(&self) -> String {
        let folder = self.root.join("spool/.Bangpath/local-mail");
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files
            .map(|file| fs::read_to_string(file.path()).unwrap())
            .collect()
    }

    pub(crate) fn status(&self, peer: &str) -> String {
        fs::read_to_string(self.root.join("spool/.Status").join(peer)).unwrap_or_default()
    }
}

pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The next call; one that does not come within a minute does not come.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    let calls = poll(&mut waiting, PollTimeout::from(60_000_u16));
    assert_eq!(calls, Ok(1), "nobody calls");
    listener.accept().unwrap().0
}

/// A folder that goes when nobody writes into it any more: whoever still ends a call has a last line for its log.
pub(crate) struct Folder(tempfile::TempDir);

impl Drop for Folder {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while fs::remove_dir_all(self.0.path()).is_err()
            && self.0.path().exists()
            && Instant::now() < deadline
        {
            std::thread::yield_now();
        }
    }
}

/// Two nodes and the socket that calls from alpha come in on.
pub(crate) struct Lab {
    pub(crate) _folder: Folder,
    pub(crate) alpha: Node,
    pub(crate) beta: Node,
    pub(crate) listener: TcpListener,
}

impl Lab {
    pub(crate) fn new(sys: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            alpha: Node::new(folder.path(), "alpha", "beta", port, sys),
            beta: Node::new(folder.path(), "beta", "alpha", port, sys),
            _folder: Folder(folder),
            listener,
        }
    }

    /// One call of alpha, answered with prompts; exit statuses of both sides.
    pub(crate) fn call(&self) -> (Output, bool) {
        self.call_answered(&["-l"])
    }

    /// The same, answered with these arguments.
    pub(crate) fn call_answered(&self, arguments: &[&str]) -> (Output, bool) {
        let caller = self
            .alpha
            .command(UUCICO)
            .args(["-S", "beta"])
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answerer = self.beta.answer(&self.listener, arguments);
        let output = caller.wait_with_output().unwrap();
        let good = answerer.wait().unwrap().success();
        (output, good)
    }
}

/// A program of the other side, in a file.
pub(crate) fn script(node: &Node, name: &str, text: &str) -> PathBuf {
    let path = node.root.join(name);
    write_program(&path, format!("#!/bin/sh\n{text}\n"));
    path
}
