//! The ports of a port file, one after the other.

use std::path::Path;

use super::{PortBuilder, PortConfig};
use crate::config::error::ConfigError;
use crate::config::lines::{Lines, Style};
use crate::config::sys::OnFault;

/// Hands every port of a port file to `visit`, in order, until it gives something back.
pub(in crate::config) fn find_port<T>(
    file: &Path,
    visit: impl FnMut(&str) -> bool,
    found: impl FnMut(PortConfig) -> Option<T>,
) -> Result<Option<T>, ConfigError> {
    find_port_with(file, visit, found, &mut Err)
}

/// As [`find_port`]; what is wrong goes to `fault`, which says whether to go on without it.
pub(in crate::config) fn find_port_with<T>(
    file: &Path,
    mut visit: impl FnMut(&str) -> bool,
    mut found: impl FnMut(PortConfig) -> Option<T>,
    fault: OnFault<'_>,
) -> Result<Option<T>, ConfigError> {
    let Some(mut lines) = Lines::open(file, Style::Joined)? else {
        return Ok(None);
    };
    let mut defaults = Some(PortBuilder::new(""));
    let mut default_port = None;
    let mut current: Option<PortBuilder> = None;
    while let Some(line) = lines.next_line()? {
        let command = line.command();
        if command.key() == "port" {
            let name = match command.one_text() {
                Ok(name) => name,
                Err(error) => {
                    fault(error)?;
                    String::new()
                }
            };
            if let Some(port) = current.take().and_then(|port| found(port.finish())) {
                return Ok(Some(port));
            }
            if let Some(defaults) = defaults.take() {
                default_port = Some(defaults.finish());
            }
            current = visit(&name)
                .then(|| {
                    default_port
                        .clone()
                        .map(|port| PortBuilder::from(PortConfig { name, ..port }))
                })
                .flatten();
        } else if let Some(defaults) = &mut defaults {
            defaults.apply(command).or_else(&mut *fault)?;
        } else if let Some(port) = &mut current {
            port.apply(command).or_else(&mut *fault)?;
        }
    }
    Ok(current.and_then(|port| found(port.finish())))
}
