//! What the configuration stands on: the spool and its owner, a port for every system that is called, what packing needs.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, getgrouplist};

use super::foreseen;
use crate::config::mail::{FILE_NAME, MailConfig, MethodName, Places};
use crate::config::{Config, Faults, PortChoice, Settings, System};
use crate::engine;
use crate::name::SystemName;
use crate::outbox::Packing;
use crate::owner;

/// Looks at everything; `systems` are all that the sys files describe.
pub(super) fn look(config: &Config, systems: &[System], faults: &mut Faults) {
    let owner = spool(config, faults);
    let usual = owner.is_none().then(|| Owner::usual(config));
    if let Some(owner) = owner.as_ref().or(usual.as_ref()) {
        journals(config, owner, faults);
    }
    for system in systems {
        ports(config, system, faults);
    }
    let (mail, places) = config.check_mail(systems, faults);
    let file = config.directory.join(FILE_NAME).display().to_string();
    let neighbours = mail.neighbours().filter_map(|name| name.parse().ok());
    let names: Vec<SystemName> = neighbours
        .chain(systems.iter().map(|system| system.name.clone()))
        .collect();
    for name in &names {
        packing(config, &mail, &places, name, faults);
    }
    let maildirs = std::iter::once(None).chain(names.iter().map(Some));
    for name in maildirs.filter(|_| owner.is_some()) {
        if let Some(text) = owner.as_ref().and_then(|owner| maildir(&mail, name, owner)) {
            let line = places.line(name.map(SystemName::as_str), &["delivery", "maildir"]);
            faults.push(format!("{file}:{line}: {text}"));
        }
    }
    foreseen::look(config, systems, &mail, faults);
    if mail.confines()
        && let Err(error) = engine::can_confine()
    {
        faults.note(engine::unconfined(&error));
    }
}

/// Whose spool it is.
struct Owner {
    uid: Uid,
    name: String,
    group: String,
    groups: Vec<Gid>,
}

impl Owner {
    fn of(spool: &Metadata) -> Self {
        Self::new(Uid::from_raw(spool.uid()), Gid::from_raw(spool.gid()))
    }

    /// Who it will be where there is no spool yet: whose home the node is in, else uucp, else whoever runs this.
    fn usual(config: &Config) -> Self {
        Self::at_home(config).unwrap_or_else(|| {
            let uucp = User::from_name("uucp").ok().flatten();
            let (uid, gid) =
                uucp.map_or_else(|| (geteuid(), getegid()), |uucp| (uucp.uid, uucp.gid));
            Self::new(uid, gid)
        })
    }

    /// Whoever runs this, where the configuration is that user's own: such a node needs no root, and has no uucp.
    fn at_home(config: &Config) -> Option<Self> {
        let us = geteuid();
        let is_ours = |folder: Metadata| !us.is_root() && folder.uid() == us.as_raw();
        let at_home = fs::metadata(&config.directory).is_ok_and(is_ours);
        at_home.then(|| Self::new(us, getegid()))
    }

    fn new(uid: Uid, gid: Gid) -> Self {
        let groups = match User::from_uid(uid) {
            Ok(Some(user)) => std::ffi::CString::new(user.name)
                .ok()
                .and_then(|name| getgrouplist(&name, user.gid).ok()),
            _ => None,
        };
        let group = Group::from_gid(gid).ok().flatten();
        Self {
            uid,
            name: owner::name(uid),
            group: group.map_or_else(|| gid.to_string(), |group| group.name),
            groups: groups.unwrap_or_else(|| vec![gid]),
        }
    }

    fn may_write(&self, found: &Metadata) -> bool {
        let bit = if self.uid.as_raw() == found.uid() {
            0o200
        } else if self.groups.contains(&Gid::from_raw(found.gid())) {
            0o020
        } else {
            0o002
        };
        self.uid.is_root() || found.mode() & bit != 0
    }

    /// Whether it can write a file or folder, or make it where it is not there.
    fn may_have(&self, path: &Path) -> bool {
        let there = path.ancestors().find_map(|part| part.metadata().ok());
        there.is_some_and(|found| self.may_write(&found))
    }
}

fn spool(config: &Config, faults: &mut Faults) -> Option<Owner> {
    let path = &config.spool;
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) if found.is_dir() => found,
        Ok(_) => {
            faults.push(format!("{shown}: the spool is not a directory"));
            return None;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let (user, group) = Owner::at_home(config).map_or_else(
                || ("uucp".to_owned(), "uucp".to_owned()),
                |owner| (owner.name, owner.group),
            );
            faults.push(format!(
                "{shown}: the spool directory is not there; make it with 'install -d -o {user} -g {group} -m 2770 {shown}', or name another with 'spool' in config"
            ));
            return None;
        }
        Err(error) => {
            faults.push(format!("{shown}: the spool directory: {error}"));
            return None;
        }
    };
    let owner = Owner::of(&found);
    if !fits(owner.uid) {
        faults.push(format!(
            "{shown}: the spool belongs to user {}, and not to uucp or whoever runs the programs; 'chown -R uucp:uucp {shown}'",
            owner.name
        ));
    }
    let mode = found.mode();
    if mode & 0o700 != 0o700 {
        faults.push(format!(
            "{shown}: user {}, whose spool it is, may not write there; 'chmod u+rwx {shown}'",
            owner.name
        ));
        return None;
    }
    if mode & 0o002 != 0 {
        faults.push(format!(
            "{shown}: everybody can write in the spool; 'chmod o-w {shown}', then look what is in it"
        ));
    }
    Some(owner)
}

/// Whether a spool may belong to this user: uucp, who runs this, or, for root, who becomes it, anybody else.
fn fits(owner: Uid) -> bool {
    let us = geteuid();
    if us.is_root() {
        return !owner.is_root();
    }
    let uucp = User::from_name("uucp").ok().flatten();
    owner == us || uucp.is_some_and(|uucp| uucp.uid == owner)
}

/// What the spool's owner writes besides.
fn journals(config: &Config, owner: &Owner, faults: &mut Faults) {
    for (word, path) in [
        ("logfile", &config.logfile),
        ("statfile", &config.statfile),
        ("lockdir", &config.lockdir),
    ] {
        let folder = if word == "lockdir" {
            Some(path.as_path())
        } else {
            path.parent()
        };
        // What will be in a spool that is still to be made is the owner's.
        if owner.may_have(path) || path.starts_with(&config.spool) {
            continue;
        }
        if let Some(folder) = folder.filter(|folder| !folder.exists()) {
            faults.push(format!(
                "{0}: the folder for '{word}' is not there, and user {1} may not make it; 'install -d -o {1} -g {2} {0}', or name another place with '{word}' in config",
                folder.display(),
                owner.name,
                owner.group
            ));
        } else {
            faults.push(format!(
                "{0}: user {1}, whose spool it is, may not write there; give it to {1}, or name another place with '{word}' in config",
                path.display(),
                owner.name
            ));
        }
    }
}

/// A system that is to be called and that no port can be used for.
fn ports(config: &Config, system: &System, faults: &mut Faults) {
    let called = system.for_calling().filter(|one| one.can_be_called());
    for settings in called {
        let none = engine::ports(config, settings, None).is_ok_and(|found| found.is_empty());
        if let Some(why) = none.then(|| no_port(config, settings)).flatten() {
            faults.push(format!("system '{}' cannot be called: {why}", system.name));
        }
    }
}

/// Why there is none; a name that no port has is told where it stands.
fn no_port(config: &Config, settings: &Settings) -> Option<String> {
    let speed = match (settings.speed, settings.speed_range) {
        (Some(speed), _) => format!("speed {speed}"),
        (None, Some((low, high))) => format!("a speed from {low} to {high}"),
        (None, None) => "any speed".to_owned(),
    };
    let files = config.files.port.iter();
    let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
    let files = files.join(", ");
    match &settings.port {
        PortChoice::Named(name) => {
            let known = config
                .ports()
                .is_ok_and(|all| all.iter().any(|one| one.name == *name));
            known.then(|| format!("port '{name}' does not run at {speed}"))
        }
        PortChoice::None if settings.speed.is_some() || settings.speed_range.is_some() => Some(
            format!("{files} describes no serial port that runs at {speed}"),
        ),
        PortChoice::None | PortChoice::Inline(_) => Some(format!(
            "{files} describes no port to call over; 'port NAME' and 'type tcp' make one"
        )),
    }
}

fn packing(
    config: &Config,
    mail: &MailConfig,
    places: &Places,
    system: &SystemName,
    faults: &mut Faults,
) {
    let file = config.directory.join(FILE_NAME);
    for (key, reason) in Packing::faults(config, mail, system) {
        let line = places.line(Some(system.as_str()), &["sending", key]);
        faults.push(format!("{}:{line}: {reason}", file.display()));
    }
}

/// The part of a Maildir's path that is the same for all, where its folders cannot be made.
fn maildir(mail: &MailConfig, neighbour: Option<&SystemName>, owner: &Owner) -> Option<String> {
    let delivery = mail.delivery(neighbour);
    let template = delivery.maildir?;
    let is_used = matches!(
        delivery.method,
        None | Some(MethodName::Auto | MethodName::Maildir)
    );
    let fixed = template
        .ancestors()
        .find(|part| !part.as_os_str().as_encoded_bytes().contains(&b'%'))?;
    (is_used && !owner.may_have(fixed)).then(|| {
        format!(
            "maildir: user {}, whose spool it is, may not make folders in {}; give it to that user",
            owner.name,
            fixed.display()
        )
    })
}
