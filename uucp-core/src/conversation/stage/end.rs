//! The last strings, and the end of a call.

use std::time::Instant;

use super::Stage;
use crate::conversation::event::{Event, Severity};
use crate::conversation::{Conversation, ConversationError, FAREWELL, FAREWELL_AGAIN};
use crate::link::CallRole;
use crate::wire::handshake::{StringReader, emit_over, is_over};

/// How many strings are looked through for the last one.
const FAREWELL_STRINGS: u32 = 25;

impl Conversation {
    pub(in crate::conversation) fn begin_farewell(&mut self, now: Instant) {
        self.log_statistics();
        let mut rest = Vec::new();
        if let Stage::Session(session) = &mut self.stage {
            // What the link still has to say comes before the last strings.
            while session.link.poll_transmit(now, &mut self.out) {}
            rest = session.link.take_rest();
        }
        emit_over(self.role == CallRole::Caller, &mut self.out);
        self.stage = Stage::Farewell {
            reader: StringReader::new(true),
            strings: 0,
            over: false,
            until: now + FAREWELL,
        };
        // The peer's last strings may have come together with its last packet.
        let mut rest = rest.as_slice();
        while !rest.is_empty() {
            let used = self.farewell_input(now, rest);
            if used == 0 {
                break;
            }
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    pub(super) fn farewell_input(&mut self, now: Instant, input: &[u8]) -> usize {
        let Stage::Farewell {
            reader,
            strings,
            over,
            until,
        } = &mut self.stage
        else {
            return 0;
        };
        match reader.read(input) {
            Ok((used, None)) => used,
            Ok((used, Some(text))) => {
                *strings += 1;
                let again = *over;
                if is_over(&text) && !again {
                    *over = true;
                    *until = (*until).min(now + FAREWELL_AGAIN);
                } else if again || *strings >= FAREWELL_STRINGS {
                    self.peer_is_done = again && is_over(&text);
                    self.finish(now, Ok(()));
                }
                used
            }
            Err(_) => {
                self.finish(now, Ok(()));
                input.len()
            }
        }
    }

    fn log_statistics(&mut self) {
        if let Stage::Session(session) = &self.stage
            && let Some(statistics) = session.link.statistics()
        {
            let letter = char::from(session.link.letter());
            let text = format!("Protocol '{letter}' {statistics}");
            self.events.push_back(Event::Log(Severity::Note, text));
        }
    }

    /// Ends the call, once.
    pub(in crate::conversation) fn finish(
        &mut self,
        now: Instant,
        result: Result<(), ConversationError>,
    ) {
        if self.is_finished() {
            return;
        }
        if result.is_err() {
            self.log_statistics();
        }
        // What was said before the end still belongs to the call: the answer that refuses it, for one.
        if let Stage::Session(session) = &mut self.stage {
            while session.link.poll_transmit(now, &mut self.out) {}
            self.events.append(&mut session.events);
        }
        self.question = None;
        self.stage = Stage::Done;
        self.events.push_back(Event::Finished(result));
    }
}
