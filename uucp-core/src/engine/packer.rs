//! Packing what waits in the outbox of the system that a call is with: when it begins, and again while it lasts.

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};

use crate::config::Config;
use crate::config::mail::{Carrier, MailConfig};
use crate::name::{Grade, SystemName};
use crate::outbox::{Batch, Outbox, Packing, Scope};
use crate::spool::Spool;

/// After so long no further batch is begun before the call goes on: the peer waits meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// Packs the outbox of one system.
#[derive(Debug)]
pub(super) struct Packer {
    spool: Spool,
    system: SystemName,
    /// `None`: it is not ours to pack.
    packing: Option<Packing>,
    /// Lines for the log: what was packed.
    pub(super) notes: Vec<String>,
    /// The same: what was found wrong.
    pub(super) complaints: Vec<String>,
    /// What was complained of in this call.
    said: HashSet<String>,
}

impl Packer {
    pub(super) fn new(config: &Config, spool: &Spool, system: &SystemName) -> Self {
        let mut packer = Self::with(spool, system, None);
        let mail = match MailConfig::load(&config.directory) {
            Ok(mail) => mail,
            Err(error) => {
                packer.complain(error.to_string());
                return packer;
            }
        };
        if mail.sending(system).carrier != Carrier::Uucp {
            return packer;
        }
        match Packing::new(config, &mail, system) {
            Ok(packing) => packer.packing = Some(packing),
            // Where nothing waits it is nothing to complain of in every call.
            Err(error) => {
                if spool.has_messages(system, Grade::LAST).unwrap_or(true) {
                    packer.complain(format!("{error}; what waits in the outbox stays there"));
                }
            }
        }
        packer
    }

    pub(super) fn with(spool: &Spool, system: &SystemName, packing: Option<Packing>) -> Self {
        Self {
            spool: spool.clone(),
            system: system.clone(),
            packing,
            notes: Vec::new(),
            complaints: Vec::new(),
            said: HashSet::new(),
        }
    }

    /// Packs what waits, as far as a call may be held up by it. Nothing that goes wrong here ends the call.
    pub(super) fn pack(&mut self, least: Grade, largest: Option<u64>) {
        let Some(packing) = &self.packing else {
            return;
        };
        let now = Instant::now();
        let scope = Scope {
            least,
            wait: now,
            until: Some(now + PAUSE),
            largest,
        };
        let mut notes = Vec::new();
        let outbox = Outbox::new(&self.spool, &self.system);
        let packed = outbox.pack(packing, scope, &mut |batch| notes.push(described(batch)));
        self.notes.append(&mut notes);
        match packed {
            Ok(packed) => packed
                .complaints
                .into_iter()
                .for_each(|complaint| self.complain(complaint)),
            // Whoever else packs makes jobs of it, which this call will find.
            Err(error) if error.is_busy() => {}
            Err(error) => self.complain(error.to_string()),
        }
    }

    /// Why something may still wait that should have gone with this call.
    pub(super) fn unpacked(&self) -> Vec<String> {
        let mut all: Vec<String> = self.said.iter().cloned().collect();
        all.sort_unstable();
        all
    }

    /// When messages last came or went.
    pub(super) fn changed(&self) -> Option<SystemTime> {
        self.packing.as_ref()?;
        self.spool.outbox_changed(&self.system)
    }

    fn complain(&mut self, text: String) {
        if self.said.insert(text.clone()) {
            self.complaints.push(text);
        }
    }
}

/// A batch, for the log.
fn described(batch: &Batch) -> String {
    let messages = match batch.messages.len() {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    };
    let bytes = if batch.size == batch.bytes {
        format!("{} bytes", batch.bytes)
    } else {
        format!("{} bytes as {}", batch.bytes, batch.size)
    };
    match &batch.job {
        Some(job) => format!("Packed {messages}, {bytes} ({})", job.work),
        None => format!("Packed {messages}, {bytes}"),
    }
}
