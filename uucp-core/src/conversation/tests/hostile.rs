//! Peers that ask without end, trickle and flood.

use super::*;

/// A called side that has come to protocol `t`.
fn answering_over_t(now: Instant) -> Conversation {
    let mut conversation = Conversation::called(now, pair::answer_profile(LoginMode::Done));
    bring_to_t(&mut conversation, now);
    let mut out = Vec::new();
    conversation.poll_transmit(now, &mut out);
    conversation
}

/// What a called side does for half an hour and more with the requests of a peer that never stops making them.
fn requests_without_end(request: &[u8], granted: bool) -> Option<Result<(), ConversationError>> {
    let mut now = Instant::now();
    let end = now + Duration::from_mins(40);
    let mut conversation = answering_over_t(now);
    let mut command = request.to_vec();
    command.resize(512, 0);
    while now < end {
        now += Duration::from_secs(1);
        conversation.handle_input(now, &command);
        while let Some(event) = conversation.poll_event(now) {
            match event {
                Event::Offer { .. } if granted => {
                    let (mode, size) = (0o644, 100);
                    conversation.answer_offer(
                        now,
                        Ok(Offer {
                            mode,
                            size,
                            version: None,
                        }),
                    );
                }
                Event::Offer { .. } => conversation.answer_offer(now, Err(Refusal::NotPermitted)),
                Event::Finished(result) => return Some(result),
                _ => {}
            }
        }
        let mut served = false;
        while let Some(wanted) = conversation.poll_wanted() {
            conversation.supply(now, wanted.key, &vec![0; wanted.room]);
            served = true;
        }
        conversation.poll_transmit(now, &mut Vec::new());
        if served {
            let mut confirmed = b"CY".to_vec();
            confirmed.resize(512, 0);
            conversation.handle_input(now, &confirmed);
        }
    }
    None
}

#[test]
fn a_peer_whose_requests_come_to_nothing_does_not_hold_the_line_for_ever() {
    let request = b"R /etc/passwd ~/x uucp -d";
    match requests_without_end(request, false) {
        Some(Err(ConversationError::Remote(reason))) => {
            assert!(reason.contains("30 minutes without a transfer"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    // One that gets its files may stay.
    assert_eq!(requests_without_end(request, true), None);
}

#[test]
fn a_peer_that_trickles_is_given_up() {
    let profile = || pair::answer_profile(LoginMode::Done);
    // Something comes every minute, but the string never ends; restarted again and again, it does not grow either.
    let mut now = Instant::now();
    let start = now;
    let mut conversation = Conversation::called(now, profile());
    while !conversation.is_finished() {
        now += Duration::from_mins(1);
        conversation.handle_input(now, b"\x10S");
        if conversation.poll_timeout().is_some_and(|at| at <= now) {
            conversation.handle_timeout(now);
        }
        assert!(now < start + Duration::from_mins(10));
    }
    // The same of a link: half a command, a byte a minute.
    let mut now = Instant::now();
    let start = now;
    let mut conversation = answering_over_t(now);
    while !conversation.is_finished() {
        now += Duration::from_mins(1);
        conversation.handle_input(now, b"x");
        while conversation.poll_event(now).is_some() {}
        if conversation.poll_timeout().is_some_and(|at| at <= now) {
            conversation.handle_timeout(now);
        }
        assert!(now < start + Duration::from_mins(30));
    }
}

#[test]
fn floods_before_the_handshake_do_not_grow_memory() {
    let now = Instant::now();
    for login in [LoginMode::Prompt, LoginMode::Done] {
        let mut conversation = Conversation::called(now, pair::answer_profile(login));
        let mut out = Vec::new();
        for _ in 0..100 {
            conversation.handle_input(now, &vec![b'x'; 65_536]);
            while conversation.poll_event(now).is_some() {}
            out.clear();
            conversation.poll_transmit(now, &mut out);
            assert!(out.len() < 1000);
        }
    }
}
