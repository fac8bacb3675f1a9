use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::*;
use crate::port::closed::closed_port;
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

/// A port where somebody greets, or nobody listens.
fn port(greets: bool) -> ServerAddress {
    let port = if greets {
        greeting_port()
    } else {
        closed_port()
    };
    let host = "127.0.0.1".to_owned();
    ServerAddress::Tcp(HostPort { host, port })
}

fn greeting_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = (&stream).write_all(b"220 x\r\n");
            let _ = BufReader::new(&stream).read_line(&mut String::new());
            let _ = (&stream).write_all(b"250 x\r\n");
        }
    });
    port
}

fn chosen(settings: &DeliverySettings, places: &[&Path], port: &ServerAddress) -> String {
    described(&Choice {
        settings,
        around: &around(Path::new("/state")),
        places: places.to_vec(),
        traces: Vec::new(),
        port: port.clone(),
    })
}

fn described(choice: &Choice<'_>) -> String {
    match choice.make() {
        Ok(Handover {
            way: Way::Smtp(smtp),
            ..
        }) => smtp.described(),
        Ok(Handover {
            way: Way::Batch(_), ..
        }) => "batch".to_owned(),
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
    let (sendmail, postfix) = (install("sendmail-mta"), install("sendmail.postfix"));
    let missing = folder.path().join("missing");
    let (open, closed) = (port(true), port(false));
    for (place, port, expected) in [
        (&exim, &open, "smtp"),
        (&exim, &closed, "dialogue Exim"),
        (&sendmail, &closed, "dialogue Sendmail"),
        (&postfix, &closed, "sendmail Postfix"),
        (&msmtp, &open, "sendmail Msmtp"),
        (&missing, &open, "smtp"),
        (&missing, &closed, "/state/maildir/%u"),
    ] {
        assert_eq!(
            chosen(&DeliverySettings::new(), &[&missing, place], port),
            expected
        );
    }
    let doubt = chosen(&DeliverySettings::new(), &[&strange], &open);
    assert!(
        doubt.starts_with("cannot tell which MTA's") && doubt.contains("set method ="),
        "{doubt}"
    );
}

#[test]
fn a_command_whose_name_tells_nothing_is_asked() {
    let closed = port(false);
    for (says, code, expected) in [
        ("Exim version 4.96 #2 built 27-May-2026", 0, "dialogue Exim"),
        (
            "2026-11-21 no configuration file Exim version 4.96",
            1,
            "dialogue Exim",
        ),
        ("Invalid operation mode V", 64, "dialogue Sendmail"),
        ("sendmail: fatal: unsupported: -bV", 75, "sendmail Postfix"),
        (
            "sendmail: this program must be setgid opensmtpq",
            1,
            "sendmail OpenSmtpd",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let command = folder.path().join("sendmail");
        let script = format!("#!/bin/sh\n[ \"$*\" = -bV ] && echo '{says}'; exit {code}\n");
        write_program(&command, script);
        let settings = DeliverySettings::new();
        assert_eq!(chosen(&settings, &[&command], &closed), expected, "{says}");
    }
}

#[test]
fn traces_of_an_mta_are_doubt_only_where_none_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (exim, missing) = (folder.path().join("exim4"), folder.path().join("missing"));
    std::fs::write(&exim, "").unwrap();
    let (open, closed) = (port(true), port(false));
    let nothing_set = DeliverySettings::new();
    let plain = around(Path::new("/state"));
    let elsewhere = Surroundings {
        names_an_mta: true,
        ..plain.clone()
    };
    let choose = |place: &Path, around: &Surroundings, trace: &Path, port: &ServerAddress| {
        described(&Choice {
            settings: &nothing_set,
            around,
            places: vec![place],
            traces: vec![trace],
            port: port.clone(),
        })
    };
    assert_eq!(
        choose(&exim, &elsewhere, folder.path(), &closed),
        "dialogue Exim"
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
    let (smtp, lmtp, sendmail, maildir) = (
        Some(port(false)),
        Some(ServerAddress::Unix(PathBuf::from("/run/lmtp"))),
        Some(PathBuf::from("/x/exim4")),
        Some(PathBuf::from("/m/%u")),
    );
    let only = |settings| chosen(&settings, &[], &nobody);
    assert_eq!(
        only(DeliverySettings {
            smtp: smtp.clone(),
            ..DeliverySettings::new()
        }),
        "smtp"
    );
    assert_eq!(
        only(DeliverySettings {
            lmtp: lmtp.clone(),
            ..DeliverySettings::new()
        }),
        "lmtp"
    );
    assert_eq!(
        only(DeliverySettings {
            sendmail: sendmail.clone(),
            ..DeliverySettings::new()
        }),
        "dialogue Exim"
    );
    assert_eq!(
        only(DeliverySettings {
            maildir: maildir.clone(),
            ..DeliverySettings::new()
        }),
        "/m/%u"
    );
    let all = DeliverySettings {
        smtp,
        lmtp,
        sendmail,
        maildir,
        ..DeliverySettings::new()
    };
    assert!(only(all.clone()).starts_with("more than one way to deliver is set"));
    for (method, expected) in [
        (MethodName::Auto, "/m/%u"),
        (MethodName::Smtp, "smtp"),
        (MethodName::Lmtp, "lmtp"),
        (MethodName::Sendmail, "dialogue Exim"),
        (MethodName::SendmailBs, "dialogue Exim"),
        (MethodName::SendmailBatch, "batch"),
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
        ..DeliverySettings::new()
    };
    assert!(only(nothing).starts_with("there is no sendmail command"));
    let nowhere = DeliverySettings {
        method: Some(MethodName::Lmtp),
        ..DeliverySettings::new()
    };
    assert!(only(nowhere).starts_with("method is \"lmtp\", but lmtp ="));
}
