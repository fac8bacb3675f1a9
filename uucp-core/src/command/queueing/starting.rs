//! Starting the programs that go on with what was queued.
//!
//! With the rights of the owner of the spool, which who queued was only lent, nothing else of his goes with them: neither his
//! environment nor his limits, nor signals that he has had ignored; and it is no program of his that is started.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{User, geteuid};

use super::warn;
use crate::config::Config;
use crate::limits;
use crate::owner::is_lent;

/// Where the other programs may be when they are not beside this one.
const PLACES: [&str; 4] = [
    "/usr/lib/bangpath",
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/lib/uucp",
];

/// What a program is to find of others whose starter has no say in it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Signals that a shell may have had ignored, and which a program that relies on them would inherit so.
const SIGNALS: [Signal; 12] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGCHLD,
    Signal::SIGALRM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
    Signal::SIGTSTP,
    Signal::SIGIO,
];

/// Starts a program beside this one and does not wait for it. That it cannot be started is worth a line.
pub(super) fn start(program: &str, config: &Config, name: &str, words: &[&str]) {
    let started = command(name).and_then(|mut command| {
        if let Some(source) = &config.source {
            command.arg("-I").arg(source);
        }
        command
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()
            .map_err(|error| error.to_string())
    });
    if let Err(why) = started {
        let text = format!("the job is queued, but {name} cannot be started: {why}");
        warn(program, &text);
    }
}

fn command(name: &str) -> Result<Command, String> {
    let candidates = candidates(name);
    if !is_lent() {
        let found = candidates.into_iter().find(|path| path.is_file());
        // Else the one in the PATH.
        return Ok(Command::new(found.unwrap_or_else(|| name.into())));
    }
    let found = candidates.iter().find_map(|path| of_system(path));
    let mut command = Command::new(found.ok_or("it is not installed beside this program")?);
    command.env_clear().env("PATH", PATH);
    if let Ok(Some(owner)) = User::from_uid(geteuid()) {
        command
            .env("HOME", owner.dir)
            .env("USER", &owner.name)
            .env("LOGNAME", owner.name);
    }
    umask(Mode::from_bits_truncate(0o022));
    limits::make_ordinary().map_err(|limit| format!("too low a limit of this session, {limit}"))?;
    for signal in SIGNALS {
        // What is caught here is not inherited.
        signal_hook::flag::register(signal as i32, Arc::new(AtomicBool::new(false)))
            .map_err(|error| error.to_string())?;
    }
    Ok(command)
}

/// Beside this program, else in the usual places, which are in nobody's PATH.
fn candidates(name: &str) -> Vec<PathBuf> {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent);
    let folders = beside.into_iter().chain(PLACES.map(Path::new));
    folders.map(|folder| folder.join(name)).collect()
}

/// The program of this name, by its real name, if nobody but root and the owner of the spool can have put it there, nor can put another
/// there now: a second link to this program, in a folder of anybody's, may have another one beside it.
fn of_system(path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    let owner = geteuid().as_raw();
    let is_of_system = real.ancestors().enumerate().all(|(above, path)| {
        std::fs::metadata(path).is_ok_and(|found| {
            // In a folder like /tmp others make names, and change none.
            let is_closed = found.mode() & 0o002 == 0 || (above > 1 && found.mode() & 0o1000 != 0);
            is_closed && (found.uid() == 0 || found.uid() == owner)
        })
    });
    (is_of_system && real.is_file()).then_some(real)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_program_is_the_systems_where_nobody_else_can_have_put_it() {
        let site = tempfile::tempdir().unwrap();
        let at = |name: &str| site.path().join(name);
        let set = |name: &str, mode| {
            fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/uucico"), "").unwrap();
        symlink(at("a/b/uucico"), at("uucico")).unwrap();
        for (modes, is_so) in [
            ([0o755, 0o755, 0o755], true),
            ([0o755, 0o755, 0o757], false),
            ([0o755, 0o1777, 0o755], false),
            ([0o755, 0o777, 0o755], false),
            ([0o777, 0o755, 0o755], false),
            ([0o1777, 0o755, 0o755], true),
        ] {
            for (name, mode) in ["a", "a/b", "a/b/uucico"].into_iter().zip(modes) {
                set(name, mode);
            }
            for name in ["a/b/uucico", "uucico"] {
                let real = at("a/b/uucico").canonicalize().unwrap();
                assert_eq!(
                    of_system(&at(name)),
                    is_so.then_some(real),
                    "{name}: {modes:?}"
                );
            }
        }
        assert_eq!(of_system(&at("missing")), None);
        assert_eq!(of_system(&at("a/b")), None);
        if geteuid().is_root() {
            set("a", 0o755);
            std::os::unix::fs::chown(at("a"), Some(4711), None).unwrap();
            assert_eq!(of_system(&at("a/b/uucico")), None);
        }
    }
}
