//! Requests and callers that are refused.

use super::*;

#[test]
fn refusals_leave_the_call_and_the_other_jobs_alone() {
    use crate::wire::command::Refusal;
    for protocol in PROTOCOLS {
        let mut pair = Pair::new(options(protocol));
        pair.caller.queue_mail("A1", &vec![1; 50_000]);
        pair.caller.queue_mail("A2", &vec![2; 50_000]);
        pair.caller.queue_mail("A3", &[3; 10]);
        pair.called
            .refuse
            .insert("A1".into(), Refusal::NotPermitted);
        pair.called
            .refuse
            .insert("A2".into(), Refusal::AlreadyReceived);
        pair.run();
        assert_eq!(pair.called.result, Some(Ok(())), "{}", char::from(protocol));
        assert_eq!(pair.caller.result, Some(Ok(())), "{}", char::from(protocol));
        let mut refused: Vec<Refusal> = pair.caller.refused.values().copied().collect();
        refused.sort_by_key(|refusal| format!("{refusal:?}"));
        assert_eq!(refused, [Refusal::AlreadyReceived, Refusal::NotPermitted]);
        assert_eq!(pair.called.received.len(), 1);
    }
}

#[test]
fn what_is_refused_before_its_data_or_amid_them_leaves_the_channel_free() {
    for protocol in PROTOCOLS {
        let mut pair = Pair::new(options(protocol));
        for (at, size) in [400_000, 5, 100_000].into_iter().enumerate() {
            let id = format!("A{at}");
            pair.caller.queue_mail(&id, &vec![7; size]);
            pair.called.refuse.insert(id, Refusal::NotPermitted);
        }
        for at in 100..300 {
            pair.caller.queue_mail(&format!("A{at}"), &[9; 50]);
        }
        pair.run();
        pair.assert_complete();
        assert_eq!(pair.caller.refused.len(), 3, "{}", char::from(protocol));
        assert_eq!(pair.called.received.len(), 200);
    }
}

#[test]
fn a_wrong_password_ends_the_call_at_both_ends() {
    let mut pair = Pair::new(PairOptions {
        login: true,
        password: b"wrong".to_vec(),
        ..options(b't')
    });
    pair.caller.queue_mail("A1", b"mail");
    pair.run();
    assert!(matches!(
        pair.called.result,
        Some(Err(ConversationError::Login(_)))
    ));
    assert_eq!(pair.caller.result, Some(Err(ConversationError::NoGreeting)));
    assert_eq!(pair.caller.queue.len(), 1);
}

#[test]
fn no_common_protocol_and_refused_callers_end_in_the_handshake() {
    use crate::wire::handshake::Answer;
    let mut pair = Pair::new(PairOptions {
        offered: Some(b"g".to_vec()),
        ..options(b't')
    });
    pair.run();
    for side in [&pair.caller, &pair.called] {
        let error = side.result.clone().unwrap().unwrap_err();
        assert!(
            error.to_string().contains("No mutually supported"),
            "{error}"
        );
    }
    for answer in [
        Answer::Locked,
        Answer::WrongLogin,
        Answer::BadSequence,
        Answer::Unknown,
        Answer::Other(b"go away".to_vec()),
    ] {
        let mut pair = Pair::new(options(b't'));
        pair.called.verdict = Some(answer);
        pair.run();
        assert!(matches!(
            pair.caller.result,
            Some(Err(ConversationError::Handshake(_)))
        ));
    }
    // A promise to call back is no failure.
    let mut pair = Pair::new(options(b't'));
    pair.called.verdict = Some(Answer::CallBack);
    pair.run();
    assert_eq!(pair.caller.result, Some(Ok(())));
    assert_eq!(pair.called.result, Some(Ok(())));
}

#[test]
fn a_request_that_the_link_cannot_carry_waits() {
    let mut pair = Pair::new(options(b'a'));
    let long = vec![b'x'; 1100];
    pair.caller.queue_receive(&String::from_utf8(long).unwrap());
    pair.caller.queue_mail("A1", b"mail");
    pair.run();
    assert_eq!(pair.caller.result, Some(Ok(())));
    assert_eq!(pair.called.received.len(), 1);
    let refused: Vec<_> = pair.caller.refused.values().copied().collect();
    assert_eq!(refused, [Refusal::TooLargeNow]);
}
