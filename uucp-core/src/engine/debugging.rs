//! The kinds of debugging messages that one call adds to those of the program: what the sys file says of the system, and
//! what a caller asks for and may have.

use std::sync::{Mutex, PoisonError};

use crate::config::{DebugSet, Settings};
use crate::name::SystemName;

/// Makes the program write these kinds beside its own from now on; the empty set: its own only.
pub type DebugSwitch = fn(DebugSet);

/// The system of the call that is under way: a process has one at a time.
static SYSTEM: Mutex<Option<SystemName>> = Mutex::new(None);

/// The system that the call under way is with, once it is known.
#[must_use]
pub fn system_of_call() -> Option<SystemName> {
    SYSTEM
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// The system of the call is known now.
pub(super) fn identified(system: &SystemName) {
    set_system(Some(system));
}

fn set_system(system: Option<&SystemName>) {
    *SYSTEM.lock().unwrap_or_else(PoisonError::into_inner) = system.cloned();
}

/// The time in which messages are about one call; when it is dropped, they are about none again.
#[derive(Debug)]
pub(super) struct About;

impl About {
    /// A call with this system; `None`: with one that is not known yet.
    pub(super) fn new(system: Option<&SystemName>) -> Self {
        set_system(system);
        Self
    }
}

impl Drop for About {
    fn drop(&mut self) {
        set_system(None);
    }
}

/// The additional kinds of one call; off again when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Debugging {
    switch: Option<DebugSwitch>,
    kinds: DebugSet,
}

impl Debugging {
    pub(super) fn new(switch: Option<DebugSwitch>) -> Self {
        Self {
            switch,
            kinds: DebugSet::NONE,
        }
    }

    /// Switches on what the sys file says (`debug`), and of what the other side asks for (`-x` in the handshake) as much as
    /// it may have (`max-remote-debug`).
    pub(super) fn begin(&mut self, settings: &Settings, asked: Option<u32>) {
        let asked = asked.map_or(DebugSet::NONE, kinds_asked_for);
        let kinds = settings.debug | (asked & settings.max_remote_debug);
        if let (Some(switch), false) = (self.switch, kinds.is_empty()) {
            self.kinds = kinds;
            switch(kinds);
        }
    }
}

impl Drop for Debugging {
    fn drop(&mut self) {
        if let (Some(switch), false) = (self.switch, self.kinds.is_empty()) {
            switch(DebugSet::NONE);
        }
    }
}

/// Up to 9 it is a number of kinds, above that a set of bits.
fn kinds_asked_for(level: u32) -> DebugSet {
    if level <= 9 {
        return DebugSet::lowest(level);
    }
    let bits = level & u32::from(u16::MAX);
    DebugSet::from_bits(u16::try_from(bits).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static SWITCHED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    fn switch(kinds: DebugSet) {
        SWITCHED.with_borrow_mut(|switched| switched.push(kinds.to_string()));
    }

    #[test]
    fn a_call_adds_its_kinds_and_takes_them_back() {
        let quiet = Settings::defaults();
        let mut loud = Settings::defaults();
        loud.debug = DebugSet::parse("port").unwrap();
        loud.max_remote_debug = DebugSet::parse("chat,incoming").unwrap();
        for (settings, asked, wanted) in [
            (&quiet, None, &[] as &[&str]),
            (&quiet, Some(0), &[]),
            (&quiet, Some(2), &["abnormal,chat", "none"]),
            (&quiet, Some(9), &["abnormal,chat,handshake", "none"]),
            // More than 9 are bits: here `chat` and `incoming`.
            (&quiet, Some(0b10_0000_0010), &["chat", "none"]),
            (&loud, Some(0xffff_ffff), &["chat,port,incoming", "none"]),
            (&loud, None, &["port", "none"]),
        ] {
            let mut debugging = Debugging::new(Some(switch));
            debugging.begin(settings, asked);
            drop(debugging);
            let switched = SWITCHED.with_borrow_mut(std::mem::take);
            assert_eq!(switched, wanted, "{asked:?}");
        }
    }
}
