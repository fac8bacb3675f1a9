//! What the thread of a call may still open once the link protocol runs: the spool, and what the configuration names.
//!
//! Landlock (Linux 5.19 and later) takes the rest away, whatever mistake there may be in the handling of what a peer sends;
//! programs and TCP connections too. What a call has no use for among the system calls goes as well. A superuser's thread
//! keeps the privileges that the owner of the spool needs. Where the kernel knows nothing of this, the checks of names stand
//! alone, as they do elsewhere.

mod calls;

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
};
use nix::unistd::geteuid;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use crate::config::mail;
use crate::config::{Config, Settings};

/// The newest of what is asked for; of what the kernel does not know, no more than it knows.
const NEWEST: ABI = ABI::V5;

/// Users, time, and the libraries that know them.
const SYSTEM: [&str; 11] = [
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/usr/share/zoneinfo",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/proc/sys/kernel/random/boot_id",
];

/// Where a thread may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reach {
    reading: Vec<PathBuf>,
    writing: Vec<PathBuf>,
}

impl Reach {
    /// What a call with one system needs.
    pub(super) fn of_call(config: &Config, settings: &Settings, pubdir: &Path) -> Self {
        let mut writing = vec![config.spool.clone()];
        // They may be rotated while the call lasts.
        let logs = [&config.logfile, &config.statfile, &config.debugfile];
        writing.extend(
            logs.iter()
                .filter_map(|log| log.parent())
                .map(Path::to_owned),
        );
        for rules in [&settings.remote_receive, &settings.local_receive] {
            writing.extend(rules.permitted(pubdir));
        }
        let mut reading: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        reading.push(config.directory.join(mail::FILE_NAME));
        reading.extend(config.files.sys.iter().cloned());
        reading.extend(settings.remote_send.permitted(pubdir));
        Self { reading, writing }
    }
}

/// Takes everything else away from this thread, and from all that it starts; for good.
///
/// # Errors
/// Why it could not be done: the kernel cannot, or will not now.
pub(super) fn confine(reach: &Reach) -> Result<(), String> {
    let status = enforce(reach).map_err(|error| error.to_string());
    drop_capabilities();
    let refused = calls::refuse();
    match status? {
        RulesetStatus::NotEnforced => Err("the kernel has no landlock".to_owned()),
        _ => refused,
    }
}

/// Whether calls can be confined here, tried by a thread of its own.
///
/// # Errors
/// Why they cannot.
#[cfg(feature = "cli")]
pub(crate) fn can_confine() -> Result<(), String> {
    let nothing = Reach {
        reading: Vec::new(),
        writing: Vec::new(),
    };
    let tried = std::thread::Builder::new().spawn(move || confine(&nothing));
    let tried = tried.map_err(|error| error.to_string())?;
    tried
        .join()
        .unwrap_or_else(|_| Err("the thread that tried it died".to_owned()))
}

/// What is said, once, where they cannot.
#[cfg(feature = "cli")]
pub(crate) fn unconfined(why: &str) -> String {
    format!("calls are not confined here, and go on without: {why} (uucico(8), CONFINEMENT)")
}

fn enforce(reach: &Reach) -> Result<RulesetStatus, RulesetError> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let writing = AccessFs::from_all(NEWEST) & !(AccessFs::Execute | AccessFs::IoctlDev);
    let mut rules = Ruleset::default()
        // Without it files could not be moved from one folder to another.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .create()?;
    for path in &reach.reading {
        rules = rules.add_rules(rule(path, reading).map(Ok::<_, RulesetError>))?;
    }
    for path in &reach.writing {
        rules = rules.add_rules(rule(existing(path), writing).map(Ok::<_, RulesetError>))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

/// What may be done below a path; nothing is said of one that is not there.
fn rule(path: &Path, access: BitFlags<AccessFs>) -> Option<PathBeneath<PathFd>> {
    let is_directory = path.metadata().ok()?.is_dir();
    let access = if is_directory {
        access
    } else {
        access & AccessFs::from_file(NEWEST)
    };
    Some(PathBeneath::new(PathFd::new(path).ok()?, access))
}

/// The part of a path that is there, so that the rest can be made; but no more than a path below the root.
fn existing(path: &Path) -> &Path {
    let found = path.ancestors().find(|part| part.exists());
    found.filter(|part| part.parent().is_some()).unwrap_or(path)
}

/// A superuser's thread keeps what it takes to write the owner's files and give them to the owner.
fn drop_capabilities() {
    if !geteuid().is_root() {
        return;
    }
    let needed = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::DAC_READ_SEARCH
        | CapabilitySet::FOWNER
        | CapabilitySet::FSETID;
    if let Ok(held) = capabilities(None) {
        let _ = set_capabilities(
            None,
            CapabilitySets {
                effective: held.effective & needed,
                permitted: held.permitted & needed,
                inheritable: CapabilitySet::empty(),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::process::Command;

    use super::*;

    #[test]
    fn a_confined_thread_goes_where_it_may_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["read", "write", "write/one", "write/two", "outside"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("file"), name).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let reach = Reach {
            reading: vec![at("read"), at("nowhere")],
            // What is to be made is made in what is there.
            writing: vec![at("write"), at("write/new/deep")],
        };
        // A thread that is confined cannot look.
        let modules = fs::read_to_string("/sys/kernel/security/lsm");
        let has_landlock = modules.is_ok_and(|names| names.contains("landlock"));
        let can_confine = has_landlock && calls::tests::can_refuse();
        let confined = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                if let Err(reason) = confine(&reach) {
                    assert!(!can_confine, "{reason}");
                    crate::skip::skip("confined threads", &reason);
                    return false;
                }
                let denied = |result: std::io::Result<()>| {
                    assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied);
                };
                assert_eq!(fs::read(at("read/file")).unwrap(), b"read");
                denied(fs::write(at("read/file"), "x"));
                denied(fs::read(at("outside/file")).map(drop));
                denied(fs::write(at("outside/new"), "x"));
                denied(fs::read_dir(at("outside")).map(drop));
                denied(fs::read_dir("/").map(drop));
                denied(Command::new("/bin/true").spawn().map(drop));
                denied(TcpStream::connect(listener.local_addr().unwrap()).map(drop));
                denied(UdpSocket::bind("127.0.0.1:0").map(drop));
                // As the spool does it.
                fs::write(at("write/one/new"), "x").unwrap();
                fs::rename(at("write/one/new"), at("write/two/new")).unwrap();
                fs::hard_link(at("write/two/new"), at("write/one/again")).unwrap();
                fs::create_dir_all(at("write/new/deep")).unwrap();
                File::open(at("write/two")).unwrap().sync_all().unwrap();
                File::create(at("write/two/new")).unwrap();
                fs::remove_file(at("write/two/new")).unwrap();
                true
            });
            thread.join().unwrap()
        });
        // The others are as free as before.
        assert_eq!(fs::read(at("outside/file")).unwrap(), b"outside");
        assert!(Command::new("/bin/true").status().unwrap().success());
        assert_eq!(at("write/new/deep").exists(), confined);
    }

    #[test]
    fn the_root_is_never_what_is_there_of_a_path() {
        assert_eq!(
            existing(Path::new("/nowhere/at/all")),
            Path::new("/nowhere/at/all")
        );
        assert_eq!(existing(Path::new("/")), Path::new("/"));
        assert_eq!(
            existing(Path::new("/etc/nowhere/at/all")),
            Path::new("/etc")
        );
    }
}
