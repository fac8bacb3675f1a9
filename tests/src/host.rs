//! A host: a root directory, a mount, a process and an IPC namespace of its own, in which one server runs.
//!
//! Its first process is a shell that waits for the server; when that is killed, everything in it ends and every mount goes.
//! Its mailboxes, its log and its changes to the tree lie outside, where the test reads them. It shares the machine's
//! loopback, on ports that were free.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Pid;

use crate::Site;
use crate::node::Node;
use crate::ports::{is_in_use, listener};
use crate::process::{self, Owner, Running};

/// What runs first, in the new namespaces: `$1` trees, the upper ones first, `$2` folder of the host, `$3` what to start, then
/// what to bind.
const ENTER: &str = r#"
set -e
trees=$1 folder=$2 start=$3; shift 3
root=$folder/root
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$trees,upperdir=$folder/upper,workdir=$folder/work" "$root" 2>/dev/null || {
    copy() { if [ $# -gt 1 ]; then (shift; copy "$@"); fi; cp -a "$1/." "$root"; }
    IFS=:; copy $trees; unset IFS
    cp -a "$folder/upper/." "$root"
}
mount -t tmpfs -o mode=755 dev "$root/dev"
for name in null zero full random urandom; do : >"$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
ln -s /proc/self/fd "$root/dev/fd"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 run "$root/run"
mount --bind "$folder/mail" "$root/var/mail"
mount --bind "$folder/log" "$root/var/log"
for path; do mkdir -p "$root$path"; mount --bind "$path" "$root$path"; done
exec chroot "$root" /bin/sh -e -c "$start"
"#;

/// Commands run inside find what a login finds.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What a host is made of.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The trees that it sees, the upper ones first.
    pub trees: &'a [&'a Path],
    /// Shell commands that prepare the host from inside, and end in a server that stays in the foreground.
    pub start: &'a str,
    /// Folders of the machine that are seen under the same path.
    pub binds: &'a [&'a Path],
    /// What shows that it is up.
    pub sign: Sign,
}

/// What shows that a host is up.
#[derive(Debug, Clone, Copy)]
pub enum Sign {
    /// It listens on this port.
    Listens(u16),
    /// It has made this file in its log folder.
    Makes(&'static str),
}

/// A host in a folder; it runs from [`Host::start`] until [`Host::stop`] or the end of the scope.
#[derive(Debug)]
pub struct Host {
    folder: PathBuf,
    running: Option<Running>,
}

impl Host {
    /// Makes the folders of a host that does not run yet.
    pub fn new(site: &Site, name: &str) -> Self {
        let folder = site.path().join(name);
        for part in ["upper", "work", "root", "mail", "log"] {
            fs::create_dir_all(folder.join(part)).expect("a folder of the host");
        }
        std::os::unix::fs::lchown(folder.join("mail"), Some(1002), Some(1002)).expect("chown");
        Self {
            folder,
            running: None,
        }
    }

    /// Where its files lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file that the host sees at `path`, before it starts.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.join("upper").join(path);
        let folder = path.parent().expect("a folder");
        fs::create_dir_all(folder).expect("a folder of the host");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Starts it, and waits until it is up. `false`, and it does not run, when somebody else has taken its port: that was free when
    /// it was chosen, but that is seconds ago.
    #[must_use]
    pub fn start(&mut self, plan: &Plan<'_>) -> bool {
        if let Sign::Makes(name) = plan.sign {
            let _ = fs::remove_file(self.folder.join("log").join(name));
        }
        let trees = std::env::join_paths(plan.trees).expect("paths without colons");
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--pid",
                "--ipc",
                "--uts",
                "--fork",
                "--kill-child",
            ])
            .args(["/bin/sh", "-c", ENTER, "enter"])
            .arg(trees)
            .arg(&self.folder)
            .arg(plan.start)
            .args(plan.binds)
            .env_clear()
            .env("PATH", PATH)
            .stdin(std::process::Stdio::null());
        let mut running = Running::start(command, &self.folder.join("log/start.out"));
        let is_up = process::wait_for("the server to listen", process::PATIENCE, || {
            let has_ended = running.has_ended();
            let shown = match plan.sign {
                Sign::Listens(port) => listener(port)
                    .and_then(|server| is_inside(server, running.pid()))
                    .or_else(|| (has_ended && is_in_use(port)).then_some(false)),
                Sign::Makes(name) => self.folder.join("log").join(name).exists().then_some(true),
            };
            assert!(
                shown.is_some() || !has_ended,
                "{} ended:\n{}",
                self.folder.display(),
                running.printed()
            );
            shown
        });
        self.running = Some(running);
        if !is_up {
            self.stop();
        }
        is_up
    }

    /// Kills everything in it. Its files stay, and it can be started again.
    pub fn stop(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        let first = process::children(running.pid());
        for pid in &first {
            let _ = nix::sys::signal::kill(*pid, nix::sys::signal::Signal::SIGKILL);
        }
        running.kill();
        // Everything else in the namespace ends with its first process, and the mounts go.
        process::wait_for("the host to end", process::PATIENCE, || {
            first.iter().all(|pid| process::is_dead(*pid)).then_some(())
        });
    }

    /// A command that runs inside, as root.
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        self.command_as(None, program, arguments)
    }

    /// A command that runs inside, as `owner`.
    pub fn command_as(&self, owner: Option<Owner>, program: &Path, arguments: &[&str]) -> Command {
        let running = self.running.as_ref().expect("the host runs");
        let inside = process::children(running.pid());
        let pid = inside.first().expect("the first process of the host");
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &pid.to_string()])
            .args(["--mount", "--pid", "--ipc", "--uts", "--root", "--wd"]);
        if let Some((uid, gid)) = owner.and_then(Owner::ids) {
            command.args([format!("--setuid={uid}"), format!("--setgid={gid}")]);
        }
        command
            .arg("--")
            .arg(program)
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", "/")
            .stdin(std::process::Stdio::null());
        command
    }

    /// One of a node's programs, run inside with the node's configuration; the node's folder and the programs must be bound.
    pub fn node_command(&self, node: &Node, program: &str) -> Command {
        let program = node.side().program(program);
        let mut command = self.command_as(Some(node.owner()), &program, &[]);
        command.arg("-I").arg(node.config());
        command
    }

    /// What its first processes have printed.
    pub fn printed(&self) -> String {
        process::lossy(&self.folder.join("log/start.out"))
    }
}

/// Whether a process is in the host that this `unshare` has started; `None` when one of both is not there, or not any more.
fn is_inside(process: Pid, unshare: Pid) -> Option<bool> {
    let namespace = |pid: &Pid| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let own = namespace(process::children(unshare).first()?)?;
    Some(namespace(&process)? == own)
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}
