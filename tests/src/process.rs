//! Running programs: never without a deadline, never left behind.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take before it counts as hanging: long, since machines can be slow and busy.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// Polls `done` until it gives a value, or panics with `what` after `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(4));
    }
}

/// What a finished program left: its status, and what it printed.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output and standard error, in the order written.
    pub output: String,
}

impl Finished {
    /// Panics with the program's own words unless it ended with 0.
    #[track_caller]
    pub fn expect_success(&self, what: &str) {
        assert!(
            self.status.success(),
            "{what}: {}\n{}",
            self.status,
            self.output
        );
    }
}

/// A program that is killed when it goes out of scope.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: PathBuf,
}

impl Running {
    /// Starts `command`; its output goes to the file `output`. Its standard input is empty unless it was set before.
    pub fn start(mut command: Command, output: &Path) -> Self {
        let file = File::create(output).expect("a file for the output");
        command
            .stdout(file.try_clone().expect("a second descriptor"))
            .stderr(file);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self {
            child,
            output: output.to_owned(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        pid_of(self.child.id())
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// What it has printed so far.
    pub fn printed(&self) -> String {
        lossy(&self.output)
    }

    /// Waits for its end; kills it and panics after `limit`.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> Finished {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return Finished {
                    status,
                    output: self.printed(),
                };
            }
            if Instant::now() > deadline {
                let stacks = kernel_stack(self.child.id());
                self.kill();
                panic!(
                    "still running after {limit:?} ({stacks}); it had printed:\n{}",
                    self.printed()
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills it (SIGKILL) and waits for it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in children(self.pid()) {
            let _ = kill(child, Signal::SIGKILL);
        }
        self.kill();
    }
}

/// Runs `command` to its end; panics after [`PATIENCE`].
#[track_caller]
pub fn run(command: Command, folder: &Path) -> Finished {
    let output = tempfile::Builder::new()
        .prefix("output-")
        .tempfile_in(folder)
        .expect("a file for the output")
        .into_temp_path();
    Running::start(command, &output).finish(PATIENCE)
}

/// Runs `command` with `input` on its standard input.
#[track_caller]
pub fn run_with_input(mut command: Command, input: &[u8], folder: &Path) -> Finished {
    let mut file = tempfile::tempfile_in(folder).expect("a file for the input");
    std::io::Write::write_all(&mut file, input).expect("the input");
    std::io::Seek::rewind(&mut file).expect("rewind");
    command.stdin(file);
    run(command, folder)
}

/// A command that runs as `owner`, with an environment of its own and nothing on its standard input.
pub fn command_as(owner: Owner, program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/")
        .env("USER", "uucp")
        .env("LOGNAME", "uucp")
        .current_dir("/")
        .stdin(Stdio::null());
    if let Some((uid, gid)) = owner.ids() {
        command.uid(uid).gid(gid);
    }
    command
}

/// Who runs a node's programs and owns its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The user and group uucp; only root can be it.
    Uucp,
    /// Whoever runs the tests.
    Myself,
}

impl Owner {
    /// uucp when root asks, else the asker.
    pub fn fitting() -> Self {
        if crate::is_root() {
            Self::Uucp
        } else {
            Self::Myself
        }
    }

    /// uid and gid to take, if they are not the caller's own. Debian gives uucp 10 and 10 on every machine.
    pub fn ids(self) -> Option<(u32, u32)> {
        match self {
            Self::Uucp => Some((10, 10)),
            Self::Myself => None,
        }
    }

    /// Gives `path` to this owner.
    pub fn give(self, path: &Path) {
        if let Some((uid, gid)) = self.ids() {
            std::os::unix::fs::lchown(path, Some(uid), Some(gid)).expect("chown");
        }
    }
}

/// The children of `parent` that live now.
pub fn children(parent: Pid) -> Vec<Pid> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{parent}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|word| word.parse().ok().map(Pid::from_raw))
                .filter(|child| !is_dead(*child))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// All processes, in whatever namespace they are.
pub fn all() -> impl Iterator<Item = Pid> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| Some(Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)))
}

/// The processes with all these words in their command lines.
pub fn find(words: &[&str]) -> Vec<Pid> {
    all()
        .filter(|pid| {
            let line = lossy(Path::new(&format!("/proc/{pid}/cmdline")));
            words.iter().all(|word| line.contains(word))
        })
        .collect()
}

/// Ended, and only not yet waited for by its parent.
pub fn is_dead(process: Pid) -> bool {
    let stat = lossy(Path::new(&format!("/proc/{process}/stat")));
    // The state stands after the name, which is in parentheses and may hold anything.
    stat.rsplit_once(") ")
        .is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

fn pid_of(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).expect("a process id"))
}

fn kernel_stack(id: u32) -> String {
    std::fs::read_to_string(format!("/proc/{id}/wchan")).unwrap_or_default()
}

/// A file as text, however it is encoded; empty when it is not there.
pub fn lossy(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
