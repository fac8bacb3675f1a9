//! The way to the system that executes: this one, a neighbour, or one behind a neighbour.

use std::ops::ControlFlow;

use super::of_config;
use crate::config::{Config, System};
use crate::name::SystemName;
use crate::sysexits::{Failure, Status};

/// Where the command is executed.
#[derive(Debug)]
pub(in crate::command) enum Way {
    /// Here.
    Local,
    /// At a neighbour, or behind it.
    Remote {
        /// The neighbour that the job is queued for.
        first: Box<System>,
        /// The systems behind it, the one that executes last; empty where the neighbour does.
        beyond: Vec<SystemName>,
    },
}

impl Way {
    /// Looks the first system up. This system's own name at the beginning is passed over.
    pub(in crate::command) fn find(config: &Config, systems: &[Vec<u8>]) -> Result<Self, Failure> {
        let own = config.nodename.as_bytes();
        let mut names = systems
            .iter()
            .skip_while(|name| name.is_empty() || name.as_slice() == own)
            .map(|name| {
                SystemName::parse(name).map_err(|e| Failure::new(Status::DataError, e.to_string()))
            });
        let Some(first) = names.next().transpose()? else {
            return Ok(Self::Local);
        };
        let beyond = names.collect::<Result<Vec<_>, _>>()?;
        let first = Box::new(look_up(config, &first)?);
        Ok(Self::Remote { first, beyond })
    }

    /// The neighbour to queue for.
    pub(in crate::command) fn first_hop(&self) -> Option<&SystemName> {
        match self {
            Self::Local => None,
            Self::Remote { first, .. } => Some(&first.name),
        }
    }

    /// Whether the command is executed by a neighbour itself.
    pub(in crate::command) fn is_direct(&self) -> bool {
        matches!(self, Self::Remote { beyond, .. } if beyond.is_empty())
    }

    /// Whether `name` is the system that executes.
    pub(in crate::command) fn executes(&self, name: &[u8]) -> bool {
        match self {
            Self::Local => false,
            Self::Remote { first, beyond } => match beyond.last() {
                Some(last) => last.as_bytes() == name,
                None => std::iter::once(&first.name)
                    .chain(&first.aliases)
                    .any(|known| known.as_bytes() == name),
            },
        }
    }
}

/// A system of the sys files, or one that the `unknown` commands describe.
pub(in crate::command) fn look_up(config: &Config, name: &SystemName) -> Result<System, Failure> {
    if let Some(system) = config.system(name).map_err(of_config)? {
        return Ok(system);
    }
    if let Some(system) = config.unknown_system(name).map_err(of_config)? {
        return Ok(system);
    }
    let mut known = 0_usize;
    config
        .for_each_system(|_| {
            known += 1;
            ControlFlow::Continue(())
        })
        .map_err(of_config)?;
    if known > 0 {
        // The status that the peer's uux has for it.
        Err(Failure::new(
            Status::Unavailable,
            format!("{name}: system not found"),
        ))
    } else {
        Err(Failure::new(
            Status::Temporary,
            format!("{name}: {}", config.no_system()),
        ))
    }
}
