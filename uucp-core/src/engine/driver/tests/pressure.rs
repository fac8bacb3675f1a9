//! Peers that talk without a pause and take nothing, and the clock.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use super::*;
use crate::conversation::tests::bring_to_t;
use crate::conversation::{AnswerProfile, LoginMode};
use crate::engine::driver::waiting::FULL;
use crate::port::Ready;
use crate::wire::command::{Features, Refusal};

/// A peer that says the same again and again, as much as anybody reads, and takes nothing.
struct Flood {
    line: UnixStream,
    words: Vec<u8>,
}

impl Flood {
    fn of(words: &[u8]) -> Self {
        let (line, _) = UnixStream::pair().unwrap();
        let words = words.to_vec();
        Self { line, words }
    }
}

impl Port for Flood {
    fn traits(&self) -> LineTraits {
        LineTraits::TCP
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<PortRead> {
        for place in buffer.chunks_exact_mut(self.words.len()) {
            place.copy_from_slice(&self.words);
        }
        Ok(PortRead::Bytes(
            buffer.len() - buffer.len() % self.words.len(),
        ))
    }

    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        (self.line.as_fd(), self.line.as_fd())
    }

    fn hang_up(&mut self) {}
}

const READABLE: Ready = Ready {
    readable: true,
    writable: false,
    interrupted: false,
};

fn called(now: Instant, login: LoginMode) -> Conversation {
    let profile = AnswerProfile {
        local: "hub".parse().unwrap(),
        login,
        prompted: false,
        strip_login: true,
        strip_parity: true,
        features: Features::OURS,
    };
    Conversation::called(now, profile)
}

/// A called side on which protocol `t` runs.
fn answering(now: Instant) -> Conversation {
    let mut conversation = called(now, LoginMode::Done);
    bring_to_t(&mut conversation, now);
    conversation
}

#[test]
fn no_limit_of_time_waits_for_a_peer_to_pause() {
    let now = Instant::now();
    let mut buffer = vec![0; INPUT];
    let script = script(Vec::new());
    for conversation in [called(now, LoginMode::Prompt), script] {
        let mut port = Flood::of(b"x");
        let mut driver = Driver::new(&mut port, conversation, None);
        let end = driver.conversation.poll_timeout().unwrap();
        let before = end.checked_sub(Duration::from_millis(1)).unwrap();
        driver.go_on(before, READABLE, &mut buffer).unwrap();
        assert!(!driver.conversation.is_finished());
        driver.go_on(end, READABLE, &mut buffer).unwrap();
        assert!(driver.conversation.is_finished());
    }
}

#[test]
fn what_was_said_in_time_counts_though_it_is_read_late() {
    let now = Instant::now();
    let mut request = b"R /etc/passwd ~/x uucp -d".to_vec();
    request.resize(512, 0);
    let mut port = Flood::of(&request);
    let mut driver = Driver::new(&mut port, answering(now), None);
    // As when the disk has kept us busy: the peer has not been silent for those minutes.
    let late = now + Duration::from_mins(10);
    let mut buffer = vec![0; INPUT];
    driver.go_on(late, READABLE, &mut buffer).unwrap();
    assert!(!driver.conversation.is_finished());
}

#[test]
fn a_peer_that_takes_no_answer_is_not_listened_to() {
    let now = Instant::now();
    let mut request = b"R /etc/passwd ~/x uucp -d".to_vec();
    request.resize(512, 0);
    let mut port = Flood::of(&request);
    let mut driver = Driver::new(&mut port, answering(now), None);
    let mut buffer = vec![0; INPUT];
    let mut rounds = 0;
    while driver.has_room() {
        driver.go_on(now, READABLE, &mut buffer).unwrap();
        loop {
            let used = driver.conversation.handle_input(now, driver.input.rest());
            driver.input.consume(used);
            while let Some(event) = driver.conversation.poll_event(now) {
                if matches!(event, Event::Offer { .. }) {
                    let refused = Err(Refusal::NotPermitted);
                    driver.conversation.answer_offer(now, refused);
                }
            }
            if !driver.transmit() && used == 0 {
                break;
            }
        }
        driver.flush();
        rounds += 1;
        assert!(rounds < 100, "{} bytes wait", driver.output.len());
    }
    assert!(driver.output.len() < FULL + 2 * INPUT);
    // It has to take something in time, and is not even waited for.
    driver.stuck_since = now;
    let stuck = now + PATIENCE.stuck;
    assert_eq!(driver.stuck_at(), Some(stuck));
    driver.go_on(stuck, Ready::default(), &mut buffer).unwrap();
    assert!(driver.conversation.is_finished());
}

#[test]
fn last_words_are_not_taken_byte_by_byte() {
    let now = Instant::now();
    let mut port = Flood::of(b"x");
    let mut driver = Driver::new(&mut port, answering(now), None);
    driver.output.bytes = vec![b'x'; 1 << 20];
    driver.result = Some(Err(ConversationError::Disconnected));
    driver.over_since = Some(now);
    assert!(!driver.is_over(now));
    // However lately it took one.
    let later = now + PATIENCE.last_words;
    driver.stuck_since = later;
    assert!(driver.is_over(later));
}
