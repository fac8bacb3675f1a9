//! One side: a conversation and the spool that an engine would give it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::config::ProtocolParameter;
use crate::conversation::*;
use crate::name::Grade;
use crate::wire::command::{
    ExecuteRequest, ReceiveRequest, Refusal, Request, RequestOptions, SendRequest,
};
use crate::wire::handshake::Answer;

/// A job: a file to send, or a file to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) content: Vec<u8>,
}

/// What survives a call.
#[derive(Debug, Clone, Default)]
pub(super) struct SpoolState {
    pub(super) queue: BTreeMap<String, Job>,
    pub(super) received: BTreeMap<String, Vec<u8>>,
}

/// One side with its spool.
pub(super) struct Side {
    pub(super) conversation: Option<Conversation>,
    pub(super) queue: BTreeMap<String, Job>,
    pub(super) received: BTreeMap<String, Vec<u8>>,
    pub(super) asked_for: BTreeMap<String, Vec<u8>>,
    pub(super) offered: HashMap<Vec<u8>, Vec<u8>>,
    /// Of what is offered it can be told whether it has changed.
    pub(super) versions: bool,
    pub(super) refuse: HashMap<String, Refusal>,
    /// What comes, but cannot be put in its place.
    pub(super) unplaceable: Vec<String>,
    pub(super) partial: HashMap<String, Vec<u8>>,
    pub(super) verdict: Option<Answer>,
    pub(super) refused: BTreeMap<String, Refusal>,
    pub(super) result: Option<Result<(), ConversationError>>,
    pub(super) login: Option<Vec<u8>>,
    pub(super) commits: usize,
    pub(super) bytes_read: usize,
    /// Queued when the first file has come in, and the other side is asked for our turn.
    pub(super) late_as_slave: Option<String>,
    /// Queued when the last job is confirmed.
    pub(super) late_as_master: Option<String>,
    /// Files in the order in which they were put in their places, on both sides.
    pub(super) order: Rc<RefCell<Vec<String>>>,
    /// Given out in this call.
    under_way: HashMap<TransferKey, String>,
    taken: Vec<String>,
    receiving: HashMap<TransferKey, (String, bool, Vec<u8>)>,
    serving: HashMap<TransferKey, Vec<u8>>,
    pub(super) protocols: Vec<u8>,
    pub(super) half_duplex: bool,
    pub(super) max_file_time: Duration,
    pub(super) parameters: Vec<ProtocolParameter>,
}

impl Side {
    pub(super) fn new(protocols: Vec<u8>) -> Self {
        Self {
            conversation: None,
            queue: BTreeMap::new(),
            received: BTreeMap::new(),
            asked_for: BTreeMap::new(),
            offered: HashMap::new(),
            versions: true,
            refuse: HashMap::new(),
            unplaceable: Vec::new(),
            partial: HashMap::new(),
            verdict: None,
            refused: BTreeMap::new(),
            result: None,
            login: None,
            commits: 0,
            bytes_read: 0,
            late_as_slave: None,
            late_as_master: None,
            order: Rc::default(),
            under_way: HashMap::new(),
            taken: Vec::new(),
            receiving: HashMap::new(),
            serving: HashMap::new(),
            protocols,
            half_duplex: false,
            max_file_time: Duration::ZERO,
            parameters: Vec::new(),
        }
    }

    fn send_request(id: &str) -> SendRequest {
        SendRequest {
            from: format!("D.{id}").into_bytes(),
            to: format!("D.alphaN{id}").into_bytes(),
            user: b"uucp".to_vec(),
            options: RequestOptions::new(b"C"),
            temp: format!("D.{id}").into_bytes(),
            mode: 0o666,
            notify: Vec::new(),
            size: None,
        }
    }

    pub(super) fn queue_mail(&mut self, id: &str, content: &[u8]) {
        let request = Request::Execute(ExecuteRequest {
            file: Self::send_request(id),
            command: b"rmail joe@x.example".to_vec(),
        });
        let content = content.to_vec();
        self.queue.insert(id.into(), Job { request, content });
    }

    pub(super) fn queue_send(&mut self, id: &str, content: &[u8]) {
        let request = Request::Send(Self::send_request(id));
        let content = content.to_vec();
        self.queue.insert(id.into(), Job { request, content });
    }

    pub(super) fn queue_receive(&mut self, path: &str) {
        let request = Request::Receive(ReceiveRequest {
            from: path.into(),
            to: path.into(),
            user: b"uucp".to_vec(),
            options: RequestOptions::new(b"d"),
            size: None,
        });
        let content = Vec::new();
        self.queue.insert(path.into(), Job { request, content });
    }

    pub(super) fn offer(&mut self, path: &str, content: &[u8]) {
        self.offered.insert(path.into(), content.to_vec());
    }

    pub(super) fn clone_spool(&self) -> SpoolState {
        SpoolState {
            queue: self.queue.clone(),
            received: self.received.clone(),
        }
    }

    pub(super) fn restore(&mut self, state: &SpoolState) {
        self.queue.clone_from(&state.queue);
        self.received.clone_from(&state.received);
    }

    /// Works off every event, as the engine does.
    pub(super) fn work(&mut self, now: Instant) {
        loop {
            let Some(conversation) = &mut self.conversation else {
                return;
            };
            if let Some(event) = conversation.poll_event(now) {
                self.handle(now, event);
                continue;
            }
            let Some(wanted) = conversation.poll_wanted() else {
                return;
            };
            let content = self
                .serving
                .get(&wanted.key)
                .unwrap_or_else(|| &self.queue[&self.under_way[&wanted.key]].content);
            let start = usize::try_from(wanted.position).unwrap();
            let end = content.len().min(start + wanted.room);
            let bytes = content[start..end].to_vec();
            let taken = conversation.supply(now, wanted.key, &bytes);
            self.bytes_read += taken;
        }
    }

    fn handle(&mut self, now: Instant, event: Event) {
        let mut conversation = self.conversation.take().unwrap();
        self.answer(now, event, &mut conversation);
        self.conversation = Some(conversation);
    }

    fn answer(&mut self, now: Instant, event: Event, conversation: &mut Conversation) {
        match event {
            Event::CheckLogin { login, password } => {
                let good = login == b"Ualpha" && password.0.matches(b"xyzzy");
                conversation.answer_login(now, good);
            }
            Event::Identify(introduction) => {
                self.login = introduction.login;
                let verdict = match self.verdict.take() {
                    Some(answer) => Verdict::Refuse(answer, "refused".into()),
                    None => Verdict::Admit(Box::new(Admitted {
                        protocols: self.protocols.clone(),
                        parameters: self.parameters.clone(),
                        half_duplex: self.half_duplex,
                        max_file_time: self.max_file_time,
                        chat: None,
                    })),
                };
                conversation.answer_identity(now, verdict);
            }
            Event::NextWork(key) => {
                let work = self.next_work(key);
                conversation.answer_work(now, work);
            }
            Event::Receive(arrival) => {
                let admission = self.admit(&arrival);
                conversation.answer_receive(now, admission);
            }
            Event::Data {
                key,
                position,
                bytes,
            } => {
                let content = &mut self.receiving.get_mut(&key).unwrap().2;
                let start = position.map_or(content.len(), |at| usize::try_from(at).unwrap());
                assert!(start <= content.len(), "a hole in a file");
                let over = content.len().min(start + bytes.len());
                content.splice(start..over, bytes);
            }
            Event::Void(key) => self.receiving.get_mut(&key).unwrap().2.clear(),
            Event::Commit(keys) => {
                self.commits += 1;
                let mut placed = Vec::new();
                for key in &keys {
                    let (id, ours, content) = self.receiving.remove(key).unwrap();
                    if self.unplaceable.contains(&id) {
                        placed.push(Placed::No);
                        continue;
                    }
                    placed.push(Placed::Yes);
                    self.order.borrow_mut().push(id.clone());
                    let place = if ours {
                        &mut self.asked_for
                    } else {
                        &mut self.received
                    };
                    assert!(place.insert(id, content).is_none(), "a file came twice");
                }
                if let Some(id) = self.late_as_slave.take() {
                    self.queue_mail(&id, b"late");
                    conversation.request_turn();
                }
                conversation.answer_commit(now, placed);
            }
            Event::Offer { key, request } => {
                let offer = match self.offered.get(&request.from) {
                    Some(content) => {
                        self.serving.insert(key, content.clone());
                        Ok(Offer {
                            mode: 0o644,
                            size: content.len() as u64,
                            version: self.versions.then_some(7),
                        })
                    }
                    None => Err(Refusal::NotPermitted),
                };
                conversation.answer_offer(now, offer);
            }
            Event::Expand(_) => conversation.answer_expand(now, false),
            Event::Confirmed(key) => {
                self.queue.remove(&self.under_way[&key]);
                if self.queue.is_empty()
                    && let Some(id) = self.late_as_master.take()
                {
                    self.queue_mail(&id, b"late");
                }
            }
            Event::Refused(key, refusal) => {
                let id = self.under_way[&key].clone();
                if refusal == Refusal::AlreadyReceived {
                    self.queue.remove(&id);
                }
                self.refused.insert(id, refusal);
            }
            Event::Finished(result) => {
                assert!(self.result.is_none(), "finished twice");
                self.result = Some(result);
            }
            _ => {}
        }
    }

    fn next_work(&mut self, key: TransferKey) -> Option<Work> {
        let id = self.queue.keys().find(|id| !self.taken.contains(id))?;
        let (id, job) = (id.clone(), &self.queue[id]);
        let work = Work {
            request: job.request.clone(),
            grade: Grade::DEFAULT,
            size: job.content.len() as u64,
        };
        self.taken.push(id.clone());
        self.under_way.insert(key, id);
        Some(work)
    }

    fn admit(&mut self, arrival: &Arrival) -> Admission {
        let id = match &arrival.request {
            Request::Send(send) => &send.temp[2..],
            Request::Execute(execute) => &execute.file.temp[2..],
            Request::Receive(receive) => &receive.from,
            Request::Expand(_) => panic!("no file"),
        };
        let id = String::from_utf8_lossy(id).into_owned();
        if let Some(refusal) = self.refuse.get(&id) {
            return Admission::Refuse(*refusal);
        }
        if self.received.contains_key(&id) {
            return Admission::Refuse(Refusal::AlreadyReceived);
        }
        let kept = self.partial.remove(&id).filter(|_| arrival.restart);
        let kept = kept.unwrap_or_default();
        let start = kept.len() as u64;
        self.receiving.insert(arrival.key, (id, arrival.ours, kept));
        Admission::Begin(start)
    }
}
