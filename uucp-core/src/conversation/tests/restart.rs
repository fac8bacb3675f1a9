//! Files of which a part is there already: sent, and asked for.

use super::pair::{Pair, PairOptions};
use super::*;

#[test]
fn a_broken_file_goes_on_where_it_stopped() {
    for protocol in PROTOCOLS {
        let mut pair = Pair::new(options(protocol));
        let content: Vec<u8> = (0..400_000_u32).map(|i| (i / 7) as u8).collect();
        pair.caller.queue_mail("A1", &content);
        pair.called
            .partial
            .insert("A1".into(), content[..300_000].to_vec());
        pair.run();
        pair.assert_complete();
        let most = match protocol {
            // The data set out before the answer says how much is there.
            b'i' | b'j' => 399_999,
            // What came of a file without its end cannot be trusted.
            b'f' => 400_000,
            _ => 100_000,
        };
        let sent = pair.caller.bytes_read;
        assert!(sent <= most, "{}: {sent}", char::from(protocol));
    }
}

/// A file that was asked for, of which a part is there already: how much of it the other side has sent.
fn sent_of_a_broken_receive(protocol: u8, features: Features, versions: bool) -> usize {
    let mut pair = Pair::new(PairOptions {
        features,
        ..options(protocol)
    });
    let content: Vec<u8> = (0..400_000_u32).map(|i| (i / 7) as u8).collect();
    let kept = content[..300_000].to_vec();
    pair.called.versions = versions;
    pair.called.offer("/pub/large", &content);
    pair.called.offer("/pub/small", &content[..1000]);
    pair.caller.queue_receive("/pub/large");
    pair.caller.queue_receive("/pub/small");
    pair.caller.partial.insert("/pub/large".into(), kept);
    pair.run();
    pair.assert_complete();
    pair.called.bytes_read
}

#[test]
fn a_broken_file_that_was_asked_for_goes_on_where_it_stopped() {
    for protocol in PROTOCOLS {
        let features = options(protocol).features;
        let sent = sent_of_a_broken_receive(protocol, features, true);
        let expected = match protocol {
            b'f' => 401_000,
            _ => 101_000,
        };
        assert_eq!(sent, expected, "{}", char::from(protocol));
        // Who cannot tell whether the file has changed, or does not know the word, sends all of it.
        let sent = sent_of_a_broken_receive(protocol, features, false);
        assert_eq!(sent, 401_000, "{}", char::from(protocol));
        let before = Features(features.0 & !Features::RESUMED.0);
        let sent = sent_of_a_broken_receive(protocol, before, true);
        assert_eq!(sent, 401_000, "{}", char::from(protocol));
    }
}

#[test]
fn a_file_that_was_asked_for_and_cannot_be_stored_is_not_sent() {
    for protocol in PROTOCOLS {
        let mut pair = Pair::new(options(protocol));
        pair.called.offer("/pub/large", &vec![7; 400_000]);
        pair.caller.queue_receive("/pub/large");
        pair.caller
            .refuse
            .insert("/pub/large".into(), Refusal::TooLargeNow);
        for at in 0..20 {
            pair.caller.queue_mail(&format!("A{at:03}"), &[9; 50]);
        }
        pair.run();
        pair.assert_complete();
        let refused: Vec<_> = pair.caller.refused.values().copied().collect();
        assert_eq!(refused, [Refusal::TooLargeNow]);
        let sent = pair.called.bytes_read;
        assert_eq!(sent == 0, protocol != b'f', "{}", char::from(protocol));
    }
}

#[test]
fn a_file_that_cannot_be_put_in_its_place_is_refused_whoever_wanted_it() {
    for protocol in PROTOCOLS {
        let mut pair = Pair::new(options(protocol));
        pair.called.offer("/pub/file", b"asked for");
        pair.caller.queue_receive("/pub/file");
        pair.caller.queue_send("A1", b"sent");
        pair.caller.queue_mail("A2", b"mail");
        pair.caller.unplaceable.push("/pub/file".into());
        pair.called.unplaceable.push("A1".into());
        pair.run();
        pair.assert_complete();
        let refused: Vec<_> = pair.caller.refused.clone().into_iter().collect();
        let expected = ["/pub/file", "A1"].map(|id| (id.to_owned(), Refusal::NotPlaced));
        assert_eq!(refused, expected, "{}", char::from(protocol));
        let came: Vec<_> = pair.called.received.keys().collect();
        assert_eq!(came, ["A2"], "{}", char::from(protocol));
    }
}
