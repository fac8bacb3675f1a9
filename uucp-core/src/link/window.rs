//! Packets on their way: those that the window holds, sent or about to be, and those that wait for room in it.
//!
//! For links with numbered packets. What an acknowledgement, a reject and a timeout mean is theirs to say.

use std::collections::VecDeque;

use crate::wire::sequence::Sequence;

#[derive(Debug)]
struct Slot<P> {
    packet: P,
    /// Is to be sent.
    due: bool,
    /// Was sent before.
    sent: bool,
}

impl<P> Slot<P> {
    fn new(packet: P) -> Self {
        Self {
            packet,
            due: true,
            sent: false,
        }
    }
}

#[derive(Debug)]
pub(super) struct Window<P, const COUNT: u8> {
    limit: usize,
    /// The first has number `first`.
    slots: VecDeque<Slot<P>>,
    first: Sequence<COUNT>,
    waiting: VecDeque<P>,
    sent: u64,
    resent: u64,
}

impl<P, const COUNT: u8> Window<P, COUNT> {
    /// A window of so many packets; the first packet gets number 1.
    pub(super) fn new(limit: u8) -> Self {
        Self {
            limit: limit.into(),
            slots: VecDeque::new(),
            first: Sequence::new(1),
            waiting: VecDeque::new(),
            sent: 0,
            resent: 0,
        }
    }

    pub(super) fn set_limit(&mut self, limit: u8) {
        self.limit = limit.into();
    }

    /// Sent and resent packets.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.sent, self.resent)
    }

    /// Whether all that was sent is acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.slots.is_empty() && self.waiting.is_empty()
    }

    /// Whether all has gone out at least once.
    pub(super) fn all_sent(&self) -> bool {
        self.waiting.is_empty() && self.slots.iter().all(|slot| slot.sent)
    }

    /// How many packets more there is room for.
    pub(super) fn free(&self) -> usize {
        self.limit
            .saturating_sub(self.slots.len() + self.waiting.len())
    }

    /// How many packets wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The number of the oldest packet that is not acknowledged.
    pub(super) fn first(&self) -> Sequence<COUNT> {
        self.first
    }

    pub(super) fn push(&mut self, packet: P) {
        self.waiting.push_back(packet);
        self.fill();
    }

    /// Takes a last packet, whatever the window says: nothing will be acknowledged after it.
    pub(super) fn push_last(&mut self, packet: P) {
        self.waiting.push_back(packet);
        self.slots.extend(self.waiting.drain(..).map(Slot::new));
    }

    fn fill(&mut self) {
        while self.slots.len() < self.limit {
            let Some(packet) = self.waiting.pop_front() else {
                break;
            };
            self.slots.push_back(Slot::new(packet));
        }
    }

    /// How many packets are under way: sent, from the first on.
    pub(super) fn under_way(&self) -> usize {
        self.slots.iter().take_while(|slot| slot.sent).count()
    }

    /// The peer has the first `count` packets.
    pub(super) fn forget(&mut self, count: usize) {
        let count = count.min(self.slots.len());
        self.slots.drain(..count);
        self.first = self.first.after(count);
        self.fill();
    }

    /// One packet is to be sent again; whether it is under way.
    pub(super) fn send_again(&mut self, number: Sequence<COUNT>) -> bool {
        match self.slots.get_mut(number.since(self.first)) {
            Some(slot) => {
                slot.due = true;
                slot.sent
            }
            None => false,
        }
    }

    /// All packets are to be sent, again if they were before.
    pub(super) fn send_all_again(&mut self) {
        for slot in &mut self.slots {
            slot.due = true;
        }
    }

    /// Calls `send` for each packet that is due, with its number and whether it was sent before, until it gives false;
    /// whether anything was sent.
    pub(super) fn send_due(
        &mut self,
        mut send: impl FnMut(Sequence<COUNT>, &P, bool) -> bool,
    ) -> bool {
        let before = self.sent + self.resent;
        for (steps, slot) in self.slots.iter_mut().enumerate() {
            if !slot.due {
                continue;
            }
            if !send(self.first.after(steps), &slot.packet, slot.sent) {
                break;
            }
            if slot.sent {
                self.resent += 1;
            } else {
                self.sent += 1;
            }
            slot.due = false;
            slot.sent = true;
        }
        self.sent + self.resent > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(window: &mut Window<char, 8>) -> Vec<(u8, char, bool)> {
        let mut sent = Vec::new();
        window.send_due(|number, packet, again| {
            sent.push((number.number(), *packet, again));
            true
        });
        sent
    }

    #[test]
    fn no_more_is_sent_than_the_window_holds() {
        let mut window = Window::new(2);
        "abc".chars().for_each(|packet| window.push(packet));
        assert_eq!(window.free(), 0);
        assert_eq!(sent(&mut window), [(1, 'a', false), (2, 'b', false)]);
        assert!(!window.all_sent() && !window.is_idle());
        assert_eq!(window.under_way(), 2);
        window.forget(1);
        assert_eq!(sent(&mut window), [(3, 'c', false)]);
        assert!(window.all_sent());
        window.push_last('z');
        assert_eq!(sent(&mut window), [(4, 'z', false)]);
        window.forget(3);
        assert!(window.is_idle());
        assert_eq!((window.first().number(), window.counts()), (5, (4, 0)));
    }

    #[test]
    fn what_is_wanted_again_is_sent_again() {
        let mut window = Window::new(7);
        "abc".chars().for_each(|packet| window.push(packet));
        assert!(!window.send_again(Sequence::new(2)), "not sent yet");
        sent(&mut window);
        assert!(window.send_again(Sequence::new(2)));
        assert!(!window.send_again(Sequence::new(4)));
        assert_eq!(sent(&mut window), [(2, 'b', true)]);
        window.send_all_again();
        let mut allowance = 1;
        let any = window.send_due(|_, _, _| {
            allowance -= 1;
            allowance >= 0
        });
        assert!(any);
        assert_eq!(sent(&mut window), [(2, 'b', true), (3, 'c', true)]);
        assert_eq!(window.counts(), (3, 4));
    }
}
