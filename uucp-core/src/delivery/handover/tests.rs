use super::*;
use crate::address::{Address, ReversePath};
use crate::config::mail::MethodName;
use crate::runnable::write_program;

fn around(state: &Path) -> Surroundings {
    Surroundings {
        state: state.to_owned(),
        name: "leaf".to_owned(),
        domain: Some("leaf.lab".to_owned()),
        own_domains: None,
        names_an_mta: false,
    }
}

fn envelope(recipients: &[String]) -> Envelope {
    Envelope {
        sender: ReversePath::Null,
        recipients: recipients
            .iter()
            .map(|r| Address::parse(r.as_bytes()).unwrap())
            .collect(),
    }
}

/// A hand-over to a command that accepts so many calls and then says "for now".
fn by_command(state: &Path, flavour: &str, good_calls: usize) -> Handover {
    let command = state.join(flavour);
    let script = format!(
        "#!/bin/sh\necho $# >>{0}/calls\n[ $(wc -l <{0}/calls) -le {good_calls} ] || exit 75\n",
        state.display()
    );
    write_program(&command, script);
    let settings = DeliverySettings {
        sendmail: Some(command),
        ..DeliverySettings::new()
    };
    Handover::choose(&settings, &around(state)).unwrap()
}

#[test]
fn each_part_is_recorded_before_the_next_is_offered() {
    let state = tempfile::tempdir().unwrap();
    let mut handover = by_command(state.path(), "sendmail.postfix", 2);
    let recipients: Vec<String> = (0..1200).map(|n| format!("r{n}@x")).collect();
    let mut recorded = Vec::new();
    let calls = || {
        std::fs::read_to_string(state.path().join("calls"))
            .unwrap()
            .lines()
            .count()
    };
    let outcomes = handover.deliver(
        &envelope(&recipients),
        &Message::from_bytes(vec![]),
        &mut |have_it| {
            recorded.push((calls(), have_it.len()));
            Ok(())
        },
    );
    assert_eq!(recorded, [(1, 500), (2, 500)]);
    let delivered = outcomes
        .iter()
        .filter(|o| **o == Outcome::Delivered)
        .count();
    assert_eq!(delivered, 1000);
    assert!(
        outcomes[1000..]
            .iter()
            .all(|o| matches!(o, Outcome::Deferred(_)))
    );
}

#[test]
fn a_command_is_told_no_address_that_it_takes_for_two() {
    let state = tempfile::tempdir().unwrap();
    let arguments = state.path().join("arguments");
    let command = state.path().join("sendmail.postfix");
    let script = format!("#!/bin/sh\nprintf '<%s>' \"$@\" >{}\n", arguments.display());
    write_program(&command, script);
    let settings = DeliverySettings {
        sendmail: Some(command),
        ..DeliverySettings::new()
    };
    let mut handover = Handover::choose(&settings, &around(state.path())).unwrap();
    let recipients = ["b,c@x", "user@", "a b@x", "d@x,e", "f@x"].map(str::to_owned);
    let envelope = Envelope {
        sender: ReversePath::parse(b"g h@x").unwrap(),
        ..envelope(&recipients)
    };
    let message = Message::from_bytes(vec![]);
    let outcomes = handover.deliver(&envelope, &message, &mut |_| Ok(()));
    let told = std::fs::read_to_string(&arguments).unwrap();
    let expected = r#"<-i><-f><"g h"@x><--><"b,c"@x><"a b"@x><f@x>"#;
    assert_eq!(told, expected);
    let is_refused =
        |outcome: &Outcome| matches!(outcome, Outcome::Refused(reply) if reply.status == "5.1.3");
    let refused: Vec<bool> = outcomes.iter().map(is_refused).collect();
    assert_eq!(refused, [false, true, false, true, false]);
    assert_eq!(outcomes[0], Outcome::Delivered);
}

#[test]
fn when_nothing_can_be_recorded_nothing_more_is_offered() {
    let state = tempfile::tempdir().unwrap();
    let mut handover = by_command(state.path(), "msmtp", 9);
    let recipients = ["a@x".to_owned(), "b@x".to_owned()];
    let outcomes = handover.deliver(
        &envelope(&recipients),
        &Message::from_bytes(vec![]),
        &mut |_| Err(std::io::ErrorKind::StorageFull.into()),
    );
    assert_eq!(outcomes[0], Outcome::Delivered);
    assert!(
        matches!(&outcomes[1], Outcome::Deferred(reply) if reply.text.contains("cannot record"))
    );
    let calls = std::fs::read_to_string(state.path().join("calls")).unwrap();
    assert_eq!(calls.lines().count(), 1);
}

#[test]
fn a_maildir_serves_its_own_users_only() {
    let state = tempfile::tempdir().unwrap();
    let mut around = around(state.path());
    around.own_domains = Some(vec!["leaf.lab".to_owned(), "leaf".to_owned()]);
    let settings = DeliverySettings {
        method: Some(MethodName::Maildir),
        ..DeliverySettings::new()
    };
    let mut handover = Handover::choose(&settings, &around).unwrap();
    let recipients = ["a", "b@LEAF.lab", "c%leaf", "other!d", "e@far.example"].map(str::to_owned);
    let outcomes = handover.deliver(
        &envelope(&recipients),
        &Message::from_bytes(vec![]),
        &mut |_| Ok(()),
    );
    let told: Vec<bool> = outcomes.iter().map(|o| *o == Outcome::Delivered).collect();
    assert_eq!(told, [true, true, true, false, false]);
}
