//! One end of a line: a link, and files to send.

use std::time::Instant;

use crate::link::{Channel, Link, LinkEvent};

/// One request of ours on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sending {
    Idle,
    AwaitYes(usize),
    Data(usize, usize),
    AwaitDone(usize),
}

/// A link and the simplest conversation that can use it: it sends its files one by one on each channel, takes the
/// other's, and hands over the turn when the link has but one channel.
pub(crate) struct Side {
    pub(crate) link: Box<dyn Link>,
    pub(super) files: Vec<Vec<u8>>,
    next_file: usize,
    sending: Vec<Sending>,
    incoming: Vec<Option<Vec<u8>>>,
    my_turn: bool,
    started: bool,
    /// Files of ours that the other side has confirmed.
    pub(crate) confirmed: Vec<usize>,
    /// Complete files from the other side, with their numbers.
    pub(crate) received: Vec<(usize, Vec<u8>)>,
    pub(crate) acknowledged: usize,
    pub(crate) closed: bool,
    pub(crate) started_as: String,
    turned_over: bool,
}

impl Side {
    pub(crate) fn new(
        link: Box<dyn Link>,
        files: Vec<Vec<u8>>,
        channels: usize,
        first: bool,
    ) -> Self {
        Self {
            link,
            files,
            next_file: 0,
            sending: vec![Sending::Idle; channels],
            incoming: vec![None; 256],
            my_turn: first,
            started: false,
            confirmed: Vec::new(),
            received: Vec::new(),
            acknowledged: 0,
            closed: false,
            started_as: String::new(),
            turned_over: false,
        }
    }

    fn channel_of(&self, index: usize) -> Channel {
        if self.link.traits().channels == 1 {
            Channel(0)
        } else {
            Channel(u8::try_from(index).expect("few channels") + 1)
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.confirmed.len() == self.files.len()
    }

    /// Offers files and sends data as far as the link takes it; whether anything was done.
    pub(super) fn push(&mut self, now: Instant) -> bool {
        let ahead = self.link.traits().streams_ahead;
        let mut moved = false;
        if !self.started || !(self.my_turn || ahead) {
            return false;
        }
        for index in 0..self.sending.len() {
            let channel = self.channel_of(index);
            match self.sending[index] {
                Sending::Idle if self.next_file < self.files.len() => {
                    let number = self.next_file;
                    self.next_file += 1;
                    let command = format!("S {number}");
                    self.link
                        .send_command(now, channel, false, command.as_bytes());
                    self.sending[index] = Sending::AwaitYes(number);
                    if ahead {
                        self.begin(index, number);
                    }
                    moved = true;
                }
                Sending::Data(number, from) => {
                    let file = &self.files[number];
                    let taken = self.link.send_data(now, channel, false, &file[from..]);
                    moved |= taken > 0;
                    self.sending[index] = Sending::Data(number, from + taken);
                    if from + taken == file.len() {
                        self.link.end_file(now, channel, false);
                        self.sending[index] = Sending::AwaitDone(number);
                        moved = true;
                    }
                }
                _ => {}
            }
        }
        if !ahead && self.is_done() && !self.turned_over {
            self.turned_over = true;
            self.my_turn = false;
            self.link.send_command(now, Channel(0), false, b"TURN");
            moved = true;
        }
        moved
    }

    fn begin(&mut self, index: usize, number: usize) {
        let size = self.files[number].len() as u64;
        let channel = self.channel_of(index);
        self.link.begin_file(channel, false, 0, Some(size));
        self.sending[index] = Sending::Data(number, 0);
    }

    fn index_of(&self, channel: Channel) -> usize {
        usize::from(channel.0).saturating_sub(usize::from(self.link.traits().channels > 1))
    }

    pub(super) fn handle(&mut self, now: Instant, event: LinkEvent) {
        match event {
            LinkEvent::Started { description } => {
                self.started = true;
                self.started_as = description;
            }
            LinkEvent::Command { channel, bytes, .. } => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.command(now, channel, &text);
            }
            LinkEvent::Data {
                channel,
                position,
                bytes,
                ..
            } => {
                assert!(!bytes.is_empty());
                let file = self.incoming[usize::from(channel.0)]
                    .as_mut()
                    .expect("data of a file that was announced");
                let at = file.len() as u64 - 8;
                assert_eq!(position.unwrap_or(at), at, "data without a gap");
                file.extend(bytes);
            }
            LinkEvent::FileEnd { channel, .. } => {
                let file = self.incoming[usize::from(channel.0)]
                    .take()
                    .expect("the end of a file that was announced");
                let (number, data) = file.split_at(8);
                let number = usize::from_le_bytes(number.try_into().unwrap());
                self.received.push((number, data.to_vec()));
                self.link.send_command(now, channel, true, b"CY");
            }
            LinkEvent::Again { channel, .. } => self.again(channel),
            LinkEvent::Acknowledged => self.acknowledged += 1,
            LinkEvent::Closed => self.closed = true,
        }
    }

    fn again(&mut self, channel: Channel) {
        if let Some(file) = &mut self.incoming[usize::from(channel.0)] {
            file.truncate(8);
            return;
        }
        let index = self.index_of(channel);
        let Some(Sending::AwaitDone(number)) = self.sending.get(index).cloned() else {
            panic!("a file that was not sent is wanted again");
        };
        self.begin(index, number);
    }

    fn command(&mut self, now: Instant, channel: Channel, text: &str) {
        let index = self.index_of(channel);
        match text {
            "SY" => {
                if let Some(Sending::AwaitYes(number)) = self.sending.get(index).cloned() {
                    self.begin(index, number);
                }
            }
            "CY" => {
                let Some(Sending::AwaitDone(number)) = self.sending.get(index).cloned() else {
                    panic!("CY without a file on channel {channel:?}");
                };
                self.confirmed.push(number);
                self.sending[index] = Sending::Idle;
            }
            "TURN" => self.my_turn = true,
            request => {
                let number: usize = request
                    .strip_prefix("S ")
                    .and_then(|number| number.parse().ok())
                    .unwrap_or_else(|| panic!("an unknown command {request:?}"));
                // The file's number goes before its data here.
                self.incoming[usize::from(channel.0)] = Some(number.to_le_bytes().to_vec());
                self.link.expect_file(channel, true, 0);
                self.link.send_command(now, channel, true, b"SY");
            }
        }
    }
}
