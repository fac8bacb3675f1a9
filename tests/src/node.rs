//! A UUCP system in a folder: its configuration, its spool, its programs of either side.

mod neighbours;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use neighbours::{Reach, login_of};

use crate::Site;
use crate::ports::{free_port, is_listening};
use crate::process::{self, Finished, Owner, Running};
use crate::programs::Side;

/// A node; what it has logged is printed when the test that holds it panics.
#[derive(Debug)]
pub struct Node {
    name: String,
    side: Side,
    owner: Owner,
    folder: PathBuf,
}

/// A `uucico` that waits for calls.
#[derive(Debug)]
pub struct Listener {
    running: Running,
    port: u16,
}

impl Listener {
    /// The TCP port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process that listens.
    pub fn pid(&self) -> nix::unistd::Pid {
        self.running.pid()
    }

    /// What it has printed.
    pub fn printed(&self) -> String {
        self.running.printed()
    }
}

impl Node {
    /// Makes the node's folders and the part of its configuration that does not depend on neighbours.
    pub fn new(scenario: &Site, name: &str, side: Side) -> Self {
        Self::in_folder(&scenario.path().join(name), name, side, Owner::fitting())
    }

    /// As [`Node::new`], in a folder of the caller's choice.
    pub fn in_folder(folder: &Path, name: &str, side: Side, owner: Owner) -> Self {
        let node = Self {
            name: name.to_owned(),
            side,
            owner,
            folder: folder.to_owned(),
        };
        for part in ["", "etc", "spool", "log", "lock", "pub", "bin"] {
            let path = node.folder.join(part);
            fs::create_dir_all(&path).expect("a folder of the node");
            crate::open_to_all(&path);
            node.owner.give(&path);
        }
        // Taylor writes only where everybody may: it asks for the mode, not for itself.
        fs::set_permissions(node.public(), fs::Permissions::from_mode(0o1777)).expect("chmod");
        node.write("etc/config", &node.config_text("never"));
        node.write("etc/port", "");
        node.write("etc/call", "");
        node.write("etc/passwd", "");
        node.write("etc/sys", "");
        for secret in ["etc/call", "etc/passwd"] {
            fs::set_permissions(node.path(secret), fs::Permissions::from_mode(0o600))
                .expect("chmod");
        }
        node
    }

    fn config_text(&self, run_uuxqt: &str) -> String {
        let at = |part: &str| self.path(part).display().to_string();
        format!(
            "# Bangpath node {name}\n\
             nodename {name}\n\
             spool {spool}\npubdir {public}\nlockdir {lock}\n\
             logfile {log}/Log\nstatfile {log}/Stats\ndebugfile {log}/Debug\n\
             sysfile {etc}/sys\nportfile {etc}/port\ndialfile {etc}/dial\n\
             callfile {etc}/call\npasswdfile {etc}/passwd\n\
             v2-files false\nhdb-files false\nrun-uuxqt {run_uuxqt}\n",
            name = self.name,
            spool = at("spool"),
            public = at("pub"),
            lock = at("lock"),
            log = at("log"),
            etc = at("etc"),
        )
    }

    /// Makes the node start `uuxqt` by itself, as the word after `run-uuxqt` says.
    pub fn set_run_uuxqt(&self, when: &str) {
        self.write("etc/config", &self.config_text(when));
    }

    /// A script `store NAME` that keeps its standard input under `stored/NAME`: what the matrix executes.
    pub fn add_store_command(&self) {
        let stored = self.path("stored");
        fs::create_dir_all(&stored).expect("a folder for what comes");
        self.owner.give(&stored);
        let text = format!("#!/bin/sh\nexec cat >'{}'/\"$1\"\n", stored.display());
        self.write_script("bin/store", &text);
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose programs it runs.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Who owns it.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The node's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Something in the node's folder.
    pub fn path(&self, part: &str) -> PathBuf {
        self.folder.join(part)
    }

    /// Its spool.
    pub fn spool(&self) -> PathBuf {
        self.path("spool")
    }

    /// Its public directory.
    pub fn public(&self) -> PathBuf {
        self.path("pub")
    }

    /// Its main configuration file.
    pub fn config(&self) -> PathBuf {
        self.path("etc/config")
    }

    /// Writes a file of the node.
    pub fn write(&self, part: &str, text: &str) {
        let path = self.path(part);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.owner.give(&path);
    }

    /// Writes a file of the node that everybody may run.
    pub fn write_script(&self, part: &str, text: &str) {
        let path = self.path(part);
        crate::write_program(&path, text);
        self.owner.give(&path);
    }

    fn append(&self, part: &str, text: &str) {
        let all = process::lossy(&self.path(part)) + text;
        self.write(part, &all);
    }

    /// A command with one of the node's programs, its configuration given.
    pub fn command(&self, program: &str) -> Command {
        let program = self.side.program(program);
        match self.side {
            Side::Ours => self.command_of(&program),
            Side::Taylor => self.command_without_broken_pipes(&program),
        }
    }

    /// Taylor's programs write notes to a `sendmail` that is not there. Whether they have written before it ends is chance, and
    /// SIGPIPE would end a call in the midst; they leave that as they find it.
    fn command_without_broken_pipes(&self, program: &Path) -> Command {
        let mut command = process::command_as(self.owner, Path::new("/bin/sh"));
        command
            .args(["-c", "trap '' PIPE; exec \"$0\" \"$@\""])
            .arg(program)
            .arg("-I")
            .arg(self.config())
            .current_dir(&self.folder);
        command
    }

    /// A command with a program of the caller's choice, run as the node's owner with the node's configuration.
    pub fn command_of(&self, program: &Path) -> Command {
        let mut command = process::command_as(self.owner, program);
        command
            .arg("-I")
            .arg(self.config())
            .current_dir(&self.folder);
        command
    }

    /// Runs one of the node's programs to its end.
    #[track_caller]
    pub fn run(&self, program: &str, arguments: &[&str]) -> Finished {
        let mut command = self.command(program);
        command.args(arguments);
        process::run(command, &self.path("log"))
    }

    /// Runs one of the node's programs with `input` on its standard input.
    #[track_caller]
    pub fn run_with_input(&self, program: &str, arguments: &[&str], input: &[u8]) -> Finished {
        let mut command = self.command(program);
        command.args(arguments);
        process::run_with_input(command, input, &self.path("log"))
    }

    /// Calls `peer` now, whatever its retry time says.
    #[track_caller]
    pub fn call(&self, peer: &str) -> Finished {
        self.run("uucico", &["-S", peer])
    }

    /// Starts a program in the background; its output goes to `log/NAME.out`.
    pub fn start(&self, program: &str, arguments: &[&str]) -> Running {
        let mut command = self.command(program);
        command.args(arguments);
        Running::start(command, &self.path(&format!("log/{program}.out")))
    }

    /// Starts an answering `uucico` on a port that was free just now.
    pub fn listen(&self) -> Listener {
        self.listen_on("tcp")
    }

    /// The same over TLS.
    pub fn listen_encrypted(&self) -> Listener {
        self.listen_on("tls")
    }

    fn listen_on(&self, kind: &str) -> Listener {
        // Between the look and the start somebody else may take the port: then another one.
        for _ in 0..10 {
            let port = free_port();
            self.append(
                "etc/port",
                &format!("port in{port}\ntype {kind}\nservice {port}\n\n"),
            );
            let mut running = self.start("uucico", &["-D", "-l", "-p", &format!("in{port}")]);
            let up = process::wait_for("uucico to listen", Duration::from_mins(1), || {
                if is_listening(port) {
                    return Some(true);
                }
                running.has_ended().then_some(false)
            });
            if up {
                return Listener { running, port };
            }
            println!("uucico did not listen on {port}: {}", running.printed());
        }
        panic!("no port to listen on");
    }

    /// The command line with which a neighbour reaches this node through a pipe, as an ssh forced command would run it.
    pub fn answer_command(&self) -> Vec<String> {
        [
            self.side.program("uucico").display().to_string(),
            "-I".into(),
            self.config().display().to_string(),
            "-l".into(),
        ]
        .to_vec()
    }

    /// What the spool still holds of jobs: queued, received, partial, failed or set aside.
    pub fn leftovers(&self) -> Vec<String> {
        let spool = self.spool();
        let mut found = Vec::new();
        walk(&spool, &mut |path| {
            let inner = path.strip_prefix(&spool).expect("under the spool");
            let parts: Vec<&str> = inner.iter().filter_map(|part| part.to_str()).collect();
            let is_job = matches!(
                parts.as_slice(),
                [
                    ".Temp" | ".Failed" | ".Corrupt" | ".Preserve" | ".Xqtdir",
                    ..
                ] | [_, "C." | "D." | "D.X" | "X.", ..]
            );
            if is_job {
                found.push(inner.display().to_string());
            }
        });
        found.sort();
        found
    }

    /// How many files stand in one directory of the spool.
    pub fn count(&self, directory: &str) -> usize {
        let mut count = 0;
        walk(&self.spool().join(directory), &mut |_| count += 1);
        count
    }

    /// The log, as text.
    pub fn log(&self) -> String {
        process::lossy(&self.path("log/Log"))
    }

    fn report(&self) {
        println!(
            "---- node {} ({:?}), {}",
            self.name,
            self.side,
            self.folder.display()
        );
        let mut texts = Vec::new();
        walk(&self.path("log"), &mut |path| {
            // A trace is for the folder that is left behind, not for the screen.
            if path.extension().is_none_or(|kind| kind != "strace") {
                texts.push(path.to_owned());
            }
        });
        texts.sort();
        for path in texts {
            let text = process::lossy(&path);
            let lines: Vec<&str> = text.lines().collect();
            if !lines.is_empty() {
                println!("-- {} (its last lines)", path.display());
                println!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
            }
        }
        let left = self.leftovers();
        println!(
            "-- left in the spool: {} files {:?}",
            left.len(),
            &left[..left.len().min(20)]
        );
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report();
        }
    }
}

/// Calls `visit` for every file under `folder`; a folder that is not there has none.
pub fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            walk(&path, visit);
        } else {
            visit(&path);
        }
    }
}
