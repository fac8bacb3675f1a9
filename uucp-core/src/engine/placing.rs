//! Placing calls of others: in which order, and how a process for one is started.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::process::{Child, Command, Stdio};

use super::server::ChildCommand;
use crate::name::SystemName;

/// Puts systems into an order of chance: where lines or calls are few, no system is always the last.
pub fn shuffle(systems: &mut [SystemName]) {
    let order = RandomState::new();
    systems.sort_by_cached_key(|system| order.hash_one(system.as_bytes()));
}

/// Starts the process that calls a system.
///
/// With our signals blocked, until it takes them itself: were they let through for the moment of the start, one that comes
/// just then would end it, or us.
pub(super) fn place(
    command: &ChildCommand,
    system: &SystemName,
    output: Stdio,
) -> io::Result<Child> {
    Command::new(&command.program)
        .args(&command.arguments)
        .arg(system.as_str())
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(output)
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_one_of_chance_and_nobody_is_lost() {
        let names: Vec<SystemName> = ["a", "b", "c"].map(|name| name.parse().unwrap()).to_vec();
        let mut seen = std::collections::BTreeSet::new();
        // Each order is missed once in 10^23.
        for _ in 0..300 {
            let mut mixed = names.clone();
            shuffle(&mut mixed);
            seen.insert(mixed);
        }
        assert_eq!(seen.len(), 6);
        assert!(
            seen.iter()
                .all(|order| names.iter().all(|name| order.contains(name)))
        );
    }
}
