//! Receiving: what is taken, refused, recognised and continued; death and a full disk at every step.

mod asked;
mod crashes;
mod placed;
mod repeated;

use super::super::fault::{self, Trouble};
use super::super::tests::TestSpool;
use super::*;
use crate::config::PathRules;
use crate::wire::command::Request;

const MAIL: &[u8] = b"E D.0001 D.betaN0001 uucp -C D.0001 0666 \"\" 0xb rmail joe@x.example";
/// The same from a sender whose names never come back.
const UNIQUE: &[u8] = b"E D.MWP17Z5KNL7E0 D.betaNMWP17Z684NTNO uucp -C D.MWP17Z5KNL7E0 0666 \"\" 0xb rmail joe@x.example";
/// What a repetition of each is told.
const AGAIN: [(&[u8], &str); 2] = [(MAIL, "the same again"), (UNIQUE, "already received")];
pub(crate) const CONTENT: &[u8] = b"hello mail\n";

pub(crate) struct Peer {
    pub(crate) test: TestSpool,
    lock: SystemLock,
    rules: PathRules,
    pubdir: PathBuf,
}

impl Peer {
    pub(crate) fn new() -> Self {
        let test = TestSpool::new();
        let lock = test.spool.lock_system(&"beta".parse().unwrap()).unwrap();
        let pubdir = test.folder().join("public");
        Self {
            test,
            lock,
            rules: PathRules::new(["~"]),
            pubdir,
        }
    }

    pub(crate) fn inbox(&self) -> Inbox {
        self.test.spool.inbox(&self.lock).unwrap()
    }

    pub(crate) fn offer(&self, inbox: &mut Inbox, command: &[u8], free_space: u64) -> Admission {
        let request = Request::parse(command).unwrap();
        let incoming = Incoming::of_peer(&request, &self.rules, &self.pubdir, free_space).unwrap();
        inbox.begin(&incoming).unwrap()
    }

    /// What is said to a request for which there is to be so much free space, if it is a no.
    fn refusal(&self, inbox: &mut Inbox, command: &[u8], free_space: u64) -> Option<Refusal> {
        match self.offer(inbox, command, free_space) {
            Admission::Refuse { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    pub(crate) fn begin(&self, inbox: &mut Inbox, command: &[u8]) -> (Reception, u64) {
        match self.offer(inbox, command, 0) {
            Admission::Begin {
                reception,
                restart_at,
            } => (*reception, restart_at),
            other => panic!("{other:?}"),
        }
    }

    /// A whole transfer, as the engine does it; what the peer is told.
    fn transfer(&self, command: &[u8], content: &[u8]) -> Result<&'static str, SpoolError> {
        let request = Request::parse(command).unwrap();
        let incoming = Incoming::of_peer(&request, &self.rules, &self.pubdir, 0).unwrap();
        let mut inbox = self.test.spool.inbox(&self.lock)?;
        match inbox.begin(&incoming)? {
            Admission::AlreadyReceived => Ok("already received"),
            Admission::Refuse { reason, .. } => Err(SpoolError::Peer {
                path: self.pubdir.clone(),
                reason,
            }),
            Admission::Begin {
                mut reception,
                restart_at,
            } => {
                let from = usize::try_from(restart_at).unwrap();
                for chunk in content[from..].chunks(4) {
                    reception.write(None, chunk)?;
                }
                reception.finish()?;
                let again = reception.is_repetition();
                inbox.commit(vec![*reception]).pop().unwrap()?;
                Ok(if again { "the same again" } else { "received" })
            }
        }
    }

    /// The call in which the last files came ends in order.
    fn end_of_call(&self) {
        let mut inbox = self.inbox();
        inbox.load().unwrap();
        inbox.over();
    }

    /// How many executions of the message there are; each must be whole.
    fn executions(&self) -> usize {
        let executions = self.test.spool.executions().unwrap();
        for execution in &executions {
            let file = self.test.spool.read_execution(execution).unwrap();
            assert_eq!(file.command.join(&b' '), b"rmail joe@x.example");
            assert!(self.test.spool.has_files(execution, &file).unwrap());
            let data = self
                .test
                .spool
                .data_path(&execution.system, &file.files[0].name);
            assert_eq!(std::fs::read(data).unwrap(), CONTENT);
            assert_eq!(file.stdin.as_deref(), Some(file.files[0].name.as_bytes()));
        }
        executions.len()
    }
}
