//! The system that an MTA names, and who asks.

use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;

use nix::unistd::{Uid, User};

use crate::config::{Config, ConfigError, System};
use crate::name::SystemName;
use crate::sysexits::{Failure, Status};

/// The system that an MTA names. Its tables keep upper case, UUCP names are mostly lower: the name as it is comes first.
///
/// # Errors
/// When it is not known, for good only where all sys files could be read and describe systems.
pub fn look_up(config: &Config, host: &OsStr) -> Result<System, Failure> {
    let shown = host.as_bytes().escape_ascii().to_string();
    let lower = host.as_bytes().to_ascii_lowercase();
    let names = [host.as_bytes(), &lower];
    for name in names.iter().filter_map(|name| SystemName::parse(name).ok()) {
        if let Some(system) = config.system(&name).map_err(|e| of_config(&e))? {
            return Ok(system);
        }
    }
    if let Ok(name) = SystemName::parse(host.as_bytes())
        && let Some(system) = config.unknown_system(&name).map_err(|e| of_config(&e))?
    {
        return Ok(system);
    }
    // "Unknown" returns the mail, so it is said only when all sys files were read, understood, and describe systems.
    let mut known = 0_usize;
    config
        .for_each_system(|_| {
            known += 1;
            ControlFlow::Continue(())
        })
        .map_err(|e| of_config(&e))?;
    if known > 0 {
        return Err(Failure::new(
            Status::UnknownSystem,
            format!("'{shown}' is not a system of the sys files"),
        ));
    }
    Err(Failure::temporary(format!(
        "{}, so '{shown}' is not known",
        config.no_system()
    )))
}

/// The user that runs this program, as requests name him.
#[must_use]
pub fn user_name() -> Vec<u8> {
    let uid = Uid::current();
    if let Some(name) = fs::read(PASSWD).ok().and_then(|text| name_in(&text, uid)) {
        return name;
    }
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    name.unwrap_or_else(|| uid.to_string()).into_bytes()
}

/// Where the users of an MTA's transports are: one look there spares the C library its search for a cache daemon and for the
/// order of services, some twenty system calls.
const PASSWD: &str = "/etc/passwd";

/// The name of this user in a passwd file.
fn name_in(passwd: &[u8], uid: Uid) -> Option<Vec<u8>> {
    let wanted = uid.to_string();
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next()?;
        let number = fields.nth(1)?;
        // What begins with `+` or `-` speaks to the C library about NIS.
        let named = name.first().is_some_and(|first| !b"+-#".contains(first));
        (named && number == wanted.as_bytes()).then(|| name.to_vec())
    })
}

/// A configuration that cannot be used delays the mail.
#[must_use]
pub fn of_config(error: &ConfigError) -> Failure {
    Failure::new(Status::Configuration, error.to_one_line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_his_number_and_nobody_else() {
        let passwd = b"root:x:0:0:root:/root:/bin/bash\n+nis::10:::\n#old:x:10:\nuucp:x:10:10::/var/spool:/bin/sh\ntwin:x:10:";
        let name = |uid| name_in(passwd, Uid::from_raw(uid));
        assert_eq!(name(10).as_deref(), Some(&b"uucp"[..]));
        assert_eq!(name(0).as_deref(), Some(&b"root"[..]));
        assert_eq!(name(1), None);
        assert_eq!(name_in(b"", Uid::from_raw(0)), None);
        assert_eq!(name_in(b":x:0:\nroot\n", Uid::from_raw(0)), None);
    }

    #[test]
    fn the_name_is_the_c_librarys() {
        let user = User::from_uid(Uid::current()).unwrap().unwrap();
        assert_eq!(user_name(), user.name.into_bytes());
    }
}
