use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::address::ReversePath;

fn settings() -> DeliverySettings {
    DeliverySettings {
        method: None,
        smtp: None,
        sendmail: None,
        maildir: None,
        time_limit: Duration::from_secs(20),
    }
}

fn around(state: &Path) -> Surroundings {
    Surroundings {
        state: state.to_owned(),
        name: "leaf".to_owned(),
        domain: Some("leaf.lab".to_owned()),
        own_domains: None,
        names_an_mta: false,
    }
}

/// A port where somebody greets, or nobody listens.
fn port(greets: bool) -> HostPort {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    if greets {
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = (&stream).write_all(b"220 x\r\n");
                let _ = BufReader::new(&stream).read_line(&mut String::new());
                let _ = (&stream).write_all(b"250 x\r\n");
            }
        });
    }
    let host = "127.0.0.1".to_owned();
    HostPort { host, port }
}

fn chosen(settings: &DeliverySettings, places: &[&Path], port: &HostPort) -> String {
    described(&Choice {
        settings,
        around: &around(Path::new("/state")),
        places,
        traces: &[],
        port,
    })
}

fn described(choice: &Choice<'_>) -> String {
    match Handover::by(choice) {
        Ok(Handover {
            way: Way::Smtp(_), ..
        }) => "smtp".to_owned(),
        Ok(Handover {
            way: Way::Sendmail(sendmail),
            ..
        }) => format!("sendmail {:?}", sendmail.flavour),
        Ok(Handover {
            way: Way::Maildir(maildir),
            ..
        }) => maildir.template.display().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_installed_decides_where_nothing_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let install = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, "").unwrap();
        path
    };
    let (exim, msmtp, strange) = (install("exim4"), install("msmtp"), install("sendmail"));
    let missing = folder.path().join("missing");
    let (open, closed) = (port(true), port(false));
    for (place, port, expected) in [
        (&exim, &open, "smtp"),
        (&exim, &closed, "sendmail Exim"),
        (&msmtp, &open, "sendmail Msmtp"),
        (&missing, &open, "smtp"),
        (&missing, &closed, "/state/maildir/%u"),
    ] {
        assert_eq!(chosen(&settings(), &[&missing, place], port), expected);
    }
    let doubt = chosen(&settings(), &[&strange], &open);
    assert!(
        doubt.starts_with("cannot tell which MTA's") && doubt.contains("set method ="),
        "{doubt}"
    );
}

#[test]
fn traces_of_an_mta_are_doubt_only_where_none_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (exim, missing) = (folder.path().join("exim4"), folder.path().join("missing"));
    std::fs::write(&exim, "").unwrap();
    let (open, closed) = (port(true), port(false));
    let nothing_set = settings();
    let plain = around(Path::new("/state"));
    let elsewhere = Surroundings {
        names_an_mta: true,
        ..plain.clone()
    };
    let choose = |place: &Path, around: &Surroundings, trace: &Path, port: &HostPort| {
        described(&Choice {
            settings: &nothing_set,
            around,
            places: &[place],
            traces: &[trace],
            port,
        })
    };
    assert_eq!(
        choose(&exim, &elsewhere, folder.path(), &closed),
        "sendmail Exim"
    );
    assert_eq!(choose(&missing, &elsewhere, folder.path(), &open), "smtp");
    assert_eq!(
        choose(&missing, &plain, &missing, &closed),
        "/state/maildir/%u"
    );
    for (around, trace, why) in [
        (&plain, folder.path(), "says that there is one"),
        (&elsewhere, &missing, "names an MTA for other neighbours"),
    ] {
        let doubt = choose(&missing, around, trace, &closed);
        assert!(
            doubt.contains(why) && doubt.contains("set method ="),
            "{doubt}"
        );
    }
}

#[test]
fn what_is_set_comes_first() {
    let nobody = port(false);
    let (smtp, sendmail, maildir) = (
        Some(port(false)),
        Some(PathBuf::from("/x/exim4")),
        Some(PathBuf::from("/m/%u")),
    );
    let only = |settings| chosen(&settings, &[], &nobody);
    assert_eq!(
        only(DeliverySettings {
            smtp: smtp.clone(),
            ..settings()
        }),
        "smtp"
    );
    assert_eq!(
        only(DeliverySettings {
            sendmail: sendmail.clone(),
            ..settings()
        }),
        "sendmail Exim"
    );
    assert_eq!(
        only(DeliverySettings {
            maildir: maildir.clone(),
            ..settings()
        }),
        "/m/%u"
    );
    let all = DeliverySettings {
        smtp,
        sendmail,
        maildir,
        ..settings()
    };
    assert!(only(all.clone()).starts_with("more than one way to deliver is set"));
    for (method, expected) in [
        (MethodName::Smtp, "smtp"),
        (MethodName::Sendmail, "sendmail Exim"),
        (MethodName::Maildir, "/m/%u"),
    ] {
        assert_eq!(
            only(DeliverySettings {
                method: Some(method),
                ..all.clone()
            }),
            expected
        );
    }
    let nothing = DeliverySettings {
        method: Some(MethodName::Sendmail),
        ..settings()
    };
    assert!(only(nothing).starts_with("there is no sendmail command"));
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
    std::fs::write(&command, script).unwrap();
    std::fs::set_permissions(&command, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = DeliverySettings {
        sendmail: Some(command),
        ..settings()
    };
    Handover::choose(&settings, &around(state)).unwrap()
}

#[test]
fn each_part_is_recorded_before_the_next_is_offered() {
    let state = tempfile::tempdir().unwrap();
    let mut handover = by_command(state.path(), "exim4", 2);
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
        ..settings()
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
