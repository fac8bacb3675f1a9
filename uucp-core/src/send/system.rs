//! The system that an MTA names, and who asks.

use std::ffi::OsStr;
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
        "no sys file describes any system, so '{shown}' is not known"
    )))
}

/// The user that runs this program, as requests name him.
#[must_use]
pub fn user_name() -> Vec<u8> {
    let uid = Uid::current();
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    name.unwrap_or_else(|| uid.to_string()).into_bytes()
}

/// A configuration that cannot be used delays the mail.
#[must_use]
pub fn of_config(error: &ConfigError) -> Failure {
    Failure::new(Status::Configuration, error.to_one_line())
}
