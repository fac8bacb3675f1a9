//! One program alone, seen from outside: a configuration and a spool of its own, and what a run of it left.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sink::Server;

/// One run as an MTA sees it: standard output and standard error are one pipe.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub said: String,
}

/// It ended so, and its one line begins with this; the two must agree.
#[track_caller]
pub fn assert_refused(outcome: &Outcome, status: i32, code: &str) {
    assert_eq!(outcome.status, Some(status), "{outcome:?}");
    assert!(outcome.said.starts_with(code), "{outcome:?}");
    assert_eq!(outcome.said.lines().count(), 1, "{outcome:?}");
}

/// It ended well and had nothing to say.
#[track_caller]
pub fn assert_queued(outcome: &Outcome) {
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(outcome.said, "");
}

/// Waits for a program that an MTA would have started.
pub fn wait(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    Outcome {
        status: output.status.code(),
        said: String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}

/// Runs a program whose standard input is a pipe.
pub fn run(mut command: Command, input: &[u8]) -> Outcome {
    wait(start(&mut command, input))
}

/// Runs so many of them at once.
pub fn side_by_side(count: usize, input: &[u8], command: impl Fn() -> Command) -> Vec<Outcome> {
    let children: Vec<_> = (0..count).map(|_| start(&mut command(), input)).collect();
    children.into_iter().map(wait).collect()
}

fn start(command: &mut Command, input: &[u8]) -> Child {
    let mut child = command.spawn().unwrap();
    // It may refuse before it has read to the end.
    let _ = child.stdin.take().unwrap().write_all(input);
    child
}

/// Moments early in a run, the same ones each time.
#[derive(Debug)]
pub struct Moments {
    seed: u64,
    within: Duration,
}

impl Moments {
    /// Those of this seed, which is not 0, within so long.
    pub fn new(seed: u64, within: Duration) -> Self {
        Self { seed, within }
    }

    /// Runs a program and kills it at the next moment; whether that cut it.
    pub fn cut(&mut self, mut command: Command, input: &[u8]) -> bool {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        let limit = u64::try_from(self.within.as_micros()).unwrap();
        let mut child = start(&mut command, input);
        let until = Instant::now() + Duration::from_micros(self.seed % limit);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        let _ = child.kill();
        wait(child).status.is_none()
    }
}

/// One run as uuxqt sees it: standard output and standard error apart.
#[derive(Debug)]
pub struct Run {
    /// The exit status; -1 when a signal ended it.
    pub status: i32,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

/// A configuration in `etc`, and all that it names beside it; it goes when the value goes.
#[derive(Debug)]
pub struct Home {
    /// Where it lies.
    pub root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Home {
    /// A system with these neighbours; without a sys file where `sys` is empty.
    pub fn new(nodename: &str, sys: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for directory in ["etc", "spool", "pub", "lock"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        let r = root.display();
        let config = format!(
            "nodename {nodename}\nspool {r}/spool\npubdir {r}/pub\nlockdir {r}/lock\nlogfile {r}/Log\n\
             statfile {r}/Stats\ndebugfile {r}/Debug\nsysfile {r}/etc/sys\nportfile {r}/etc/port\n"
        );
        fs::write(root.join("etc/config"), config).unwrap();
        if !sys.is_empty() {
            fs::write(root.join("etc/sys"), sys).unwrap();
        }
        Self {
            root,
            _folder: folder,
        }
    }

    /// A system called leaf that receives mail, with this mail.toml.
    pub fn with_mail_toml(text: &str) -> Self {
        let home = Self::new("leaf", "");
        home.mail_toml(text);
        home
    }

    /// One that hands mail over to a server.
    pub fn with_smtp(server: &Server) -> Self {
        let target = server.address();
        Self::with_mail_toml(&format!(
            "domain = \"leaf.lab\"\n[delivery]\nsmtp = \"{target}\"\n"
        ))
    }

    /// One that hands mail over to a command, which says this and ends so; its command lines are in `calls/log`.
    pub fn with_sendmail(code: i32, says: &str) -> Self {
        let home = Self::with_mail_toml("");
        let command = home.path("sendmail");
        let calls = home.path("calls");
        fs::create_dir(&calls).unwrap();
        let script = format!(
            "#!/bin/sh\n{{ printf '<%s>' \"$@\"; echo; }} >>{}/log\ncat >/dev/null\nprintf '%s' '{says}' >&2\nexit {code}\n",
            calls.display()
        );
        crate::write_program(&command, script);
        home.mail_toml(&format!(
            "[delivery]\nsendmail = \"{}\"\n",
            command.display()
        ));
        home
    }

    /// A path under the root.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes mail.toml.
    pub fn mail_toml(&self, text: &str) {
        fs::write(self.path("etc/mail.toml"), text).unwrap();
    }

    /// Adds to mail.toml.
    pub fn append_mail_toml(&self, text: &str) {
        let before = fs::read_to_string(self.path("etc/mail.toml")).unwrap();
        self.mail_toml(&(before + text));
    }

    /// Every file of the spool with its content.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let spool = self.path("spool");
        collect(&spool, &spool, &mut files);
        files
    }

    /// The contents of the files of a folder; none where it is not there.
    pub fn contents(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        entries
            .map(|entry| {
                String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned()
            })
            .collect()
    }

    /// The delivery reports that wait for the local MTA.
    pub fn reports(&self) -> Vec<String> {
        let waiting = self.contents("spool/.Bangpath/local-mail");
        for text in &waiting {
            assert!(text.contains("multipart/report"), "{text}");
        }
        waiting
    }

    /// Nothing of a message, which says hello, is anywhere in the spool, and no job.
    pub fn assert_clean(&self) {
        for (name, content) in self.files() {
            let holds = content.windows(5).any(|w| w == b"hello");
            assert!(!holds, "{name} holds the message");
            assert!(!name.contains("/C./C."), "{name}");
        }
    }

    /// Runs a receiver as [`Home::receiver`] says.
    pub fn receive(
        &self,
        program: &str,
        environment: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Run {
        let output = self
            .receiver(program, environment, arguments, input)
            .output()
            .unwrap();
        Run {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// A receiver with only this environment and the name of the configuration, its input in a file, as uuxqt starts it.
    pub fn receiver(
        &self,
        program: &str,
        environment: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Command {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let file = self.path(&format!("input.{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        fs::write(&file, input).unwrap();
        let stdin = fs::File::open(&file).unwrap();
        fs::remove_file(file).unwrap();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("BANGPATH_CONFIG", self.path("etc/config"))
            .envs(environment.iter().copied())
            .stdin(Stdio::from(stdin));
        command
    }
}

fn collect(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}
