//! Sys files: what each command sets, where defaults hold, and how much is kept while reading.

mod alternates;
mod faults;

use std::io::Cursor;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::permission::CommandRules;
use crate::config::port::{PortKind, TcpPort};
use crate::config::settings::{CallWord, PortChoice};
use crate::config::{DebugSet, LocalTime};
use crate::name::Grade;

fn read(text: &str) -> Result<Vec<System>, ConfigError> {
    let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
    let mut file = SysFile::new(Lines::new(Path::new("sys"), Style::Joined, reader))?;
    let mut all = Vec::new();
    while let Some(entry) = file.next_entry()? {
        all.push(file.resolve(&entry, &Timetables::default())?);
    }
    Ok(all)
}

fn systems(text: &str) -> Vec<System> {
    read(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The settings of the only system of a file.
fn only(text: &str) -> Settings {
    let mut all = systems(text);
    assert_eq!(all.len(), 1);
    let mut alternates = all.remove(0).alternates;
    assert_eq!(alternates.len(), 1);
    alternates.remove(0)
}

fn own(commands: &str) -> Settings {
    only(&format!("system a\n{commands}\n"))
}

fn error(commands: &str) -> String {
    read(&format!("system a\n{commands}\n"))
        .unwrap_err()
        .to_one_line()
}

#[test]
fn who_finds_no_system_at_all_is_told_where_it_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, "nodename me\nsysfile /a/sys /b/sys\n").unwrap();
    let config = Config::load(Some(&file)).unwrap();
    let told = "no sys file describes any system; looked in /a/sys, /b/sys";
    assert_eq!(config.no_system(), told);
}

#[test]
fn a_system_without_commands_has_taylors_defaults() {
    let settings = only("system a\n");
    assert_eq!(settings, Settings::defaults());
    assert_eq!(settings.max_retries, 26);
    assert_eq!(settings.free_space, 50_000);
    assert!(settings.commands.permits(b"rmail") && settings.commands.permits(b"rnews"));
    assert!(!settings.commands.permits(b"uucp"));
    assert_eq!(settings.chat, crate::config::Chat::login());
    assert!(!settings.can_be_called());
}

#[test]
fn every_calling_command_has_its_value() {
    let seconds = Duration::from_secs;
    let s = own(
        "max-retries 3\nsuccess-wait 60\nbaud 300\nspeed-range 300 1200\naddress host\nmax-file-time 9\n\
                 call-login U\\sx\ncall-password *\nprotocol ig\nprotocol-parameter i window 8 9\nchat-timeout 5\n\
                 chat-fail NO\nchat-seven-bit f\nchat-program /p \\L",
    );
    assert_eq!((s.max_retries, s.success_wait), (3, seconds(60)));
    assert_eq!((s.speed, s.speed_range), (Some(300), Some((300, 1200))));
    assert_eq!(
        (s.phone, s.max_file_time),
        (Some(b"host".to_vec()), seconds(9))
    );
    assert!(matches!(s.call_login, Some(CallWord::Literal(word)) if word.expose() == b"U x"));
    assert_eq!(s.call_password, Some(CallWord::LookUp));
    assert_eq!(s.protocols, Some(b"ig".to_vec()));
    assert_eq!(s.protocol_parameters[0].value, "8 9");
    assert_eq!((s.chat.timeout, s.chat.seven_bit), (seconds(5), false));
    assert_eq!(s.chat.fail, [b"NO".to_vec()]);
    assert!(s.chat.program.is_some());
}

#[test]
fn every_called_command_has_its_value() {
    let s = own(
        "called-login Ua\ncallback y\nsequence true\nmyname other\nmax-remote-debug none\ndebug chat,3 port\n\
                 called-chat a b\ncalled-chat-timeout 7\ncalled-chat-program /x\ncalled-chat-fail F\ncalled-chat-seven-bit n",
    );
    assert_eq!(s.called_login.as_deref(), Some("Ua"));
    assert!(s.callback && s.sequence);
    assert_eq!(s.myname.unwrap().as_str(), "other");
    assert_eq!(s.max_remote_debug, DebugSet::NONE);
    assert_eq!(s.debug.to_string(), "abnormal,chat,handshake,port");
    assert_eq!(s.called_chat.script.len(), 1);
    assert_eq!(s.called_chat.timeout, Duration::from_secs(7));
    assert!(s.called_chat.program.is_some() && !s.called_chat.seven_bit);
    assert_eq!(own("called-login ANY").called_login, None);
}

#[test]
fn every_permission_has_its_value() {
    let s = own(
        "request n\ntransfer n\ncall-transfer y\nlocal-send ~\nremote-send /a !/a/b\nlocal-receive\n\
                 remote-receive /in\ncommand-path /usr/sbin /x\ncommands rsmtp\nfree-space 67108864\nforward-to ANY\n\
                 forward-from b c\npubdir /p",
    );
    assert!(!s.send_request && !s.receive_request && !s.called_transfer && s.call_transfer);
    let pubdir = s.pubdir.clone().unwrap();
    for (rules, path, wanted) in [
        (&s.local_send, "/p/x", true),
        (&s.local_send, "/etc", false),
        (&s.remote_send, "/a/x", true),
        (&s.remote_send, "/a/b/x", false),
        (&s.local_receive, "/p/x", false),
        (&s.remote_receive, "/in/x", true),
    ] {
        assert_eq!(
            rules.permits(Path::new(path), &pubdir),
            wanted,
            "{rules:?} {path}"
        );
    }
    assert_eq!(
        s.command_path,
        ["/usr/sbin", "/x"].map(std::path::PathBuf::from)
    );
    assert_eq!(s.commands, CommandRules::Listed(vec!["rsmtp".to_owned()]));
    assert_eq!(s.free_space, 67_108_864);
    assert!(
        s.forward_to.permits("x") && s.forward_from.permits("c") && !s.forward_from.permits("x")
    );
    assert!(own("forward z").forward_from.permits("z"));
    assert_eq!(own("commands rmail ALL").commands, CommandRules::All);
    assert!(!own("commands").commands.permits(b"rmail"));
}

#[test]
fn a_command_without_its_word_unsets_what_the_defaults_say() {
    let s = only(
        "phone 1\npubdir /p\nprotocol g\ncall-login x\ncommands ALL\nsystem a\nphone\npubdir\nprotocol\ncall-login\ncommands\n",
    );
    assert_eq!((&s.phone, &s.pubdir, &s.protocols), (&None, &None, &None));
    assert_eq!(s.call_login, None);
    assert!(!s.commands.permits(b"rmail"));
}

#[test]
fn times_say_when_to_call_and_for_what() {
    let s = own(
        "TIME WkSa2300-0700,Su;5 20\ntimegrade C Evening 3\ncall-timegrade Z Mo\ncalled-timegrade A Any\n\
                 call-local-size 1000 Any0100-0200\ncall-local-size 5000 Any\ncalled-remote-size 7 Any",
    );
    let window = s.is_allowed(LocalTime::new(0, 12, 0)).unwrap();
    assert_eq!(window.grade.byte(), b'C', "Sunday is in Evening as well");
    let window = s.is_allowed(LocalTime::new(1, 6, 59)).unwrap();
    assert_eq!(window.grade.byte(), b'C');
    assert_eq!(window.retry, Some(Duration::from_mins(3)));
    assert_eq!(s.is_allowed(LocalTime::new(1, 12, 0)), None);
    let only_time = own("time WkSa2300-0700,Su;5 20");
    let window = only_time.is_allowed(LocalTime::new(0, 12, 0)).unwrap();
    assert_eq!(
        (window.grade, window.retry),
        (Grade::LAST, Some(Duration::from_mins(20)))
    );
    assert_eq!(s.call_timegrade.len() + s.called_timegrade.len(), 2);
    assert_eq!(
        (s.call_local_size.len(), s.called_remote_size[0].bytes),
        (2, 7)
    );
    assert_eq!(own("timetable Mine Mo\ntime mine").time[0].retry, None);
}

#[test]
fn a_port_may_be_described_with_the_system() {
    let s = own("port type TCP\nport service 5540");
    let PortChoice::Inline(port) = s.port else {
        panic!("{:?}", s.port)
    };
    assert_eq!(port.name, "system a port");
    assert_eq!(
        port.kind,
        PortKind::Tcp(TcpPort {
            service: "5540".to_owned(),
            version: None,
            dialer: None
        })
    );
    let named = own("port p\nport type tcp").port;
    assert_eq!(named, PortChoice::Named("p".to_owned()));
    assert_eq!(
        error("port type tcp\nport device x"),
        "sys:3:6: 'device' is not a command of ports of type tcp ('type' must come first; a port without it is a modem)"
    );
}

#[test]
fn defaults_hold_until_a_system_says_otherwise() {
    let all = systems(
        "time any\nport type tcp\nport service 99\nchat-fail DEF\nprotocol-parameter g window 3\ncall-local-size 7 Any\n\
         alias deflt\nsystem a\ntime Sa\nchat-fail OWN\nchat-fail TWO\nprotocol-parameter i window 5\n\
         call-local-size 9 Any\nalias aa\nport x\nsystem b\n",
    );
    let (a, b) = (all[0].settings(), all[1].settings());
    assert_eq!(a.is_allowed(LocalTime::new(0, 0, 0)), None);
    assert_eq!(a.chat.fail, [b"OWN".to_vec(), b"TWO".to_vec()]);
    let letters: Vec<u8> = a.protocol_parameters.iter().map(|p| p.letter).collect();
    assert_eq!(letters, b"gi");
    assert_eq!(a.call_local_size.len(), 1);
    assert_eq!(a.port, PortChoice::Named("x".to_owned()));
    assert_eq!(all[0].aliases, ["aa".parse().unwrap()]);
    assert_eq!(all[1].aliases, ["deflt".parse().unwrap()]);
    assert_eq!(b.chat.fail, [b"DEF".to_vec()]);
    assert_eq!(b.protocol_parameters.len(), 1);
    assert!(matches!(&b.port, PortChoice::Inline(port) if matches!(port.kind, PortKind::Tcp(_))));
}

#[test]
fn only_one_system_is_kept_while_ten_thousand_are_read() {
    let mut text = String::from("time any\n");
    for number in 0..10_000 {
        let system = format!("system s{number}\nphone {number}\nalias a{number}\n");
        text.push_str(&system);
    }
    let reader = Box::new(Cursor::new(text.into_bytes()));
    let lines = Lines::new(Path::new("sys"), Style::Joined, reader);
    let mut file = SysFile::new(lines).unwrap();
    let wanted: SystemName = "a9000".parse().unwrap();
    let (mut seen, mut most) = (0, 0);
    let found = loop {
        let entry = file
            .next_entry()
            .unwrap()
            .expect("the system is in the file");
        seen += 1;
        // What the file and the entry hold is all there is: entries are moved out and dropped.
        most = most.max(entry.sections.kept() + file.defaults.kept());
        if entry.describes(&wanted) {
            break file.resolve(&entry, &Timetables::default()).unwrap();
        }
    };
    assert_eq!((seen, most), (9001, 3));
    assert_eq!(found.name.as_str(), "s9000");
}

proptest! {
    #[test]
    fn any_bytes_are_a_sys_file_or_an_error(bytes: Vec<u8>) {
        let reader = Box::new(Cursor::new(bytes));
        if let Ok(mut file) = SysFile::new(Lines::new(Path::new("sys"), Style::Joined, reader)) {
            while let Ok(Some(entry)) = file.next_entry() {
                let _ = file.resolve(&entry, &Timetables::default());
            }
        }
    }

    #[test]
    fn any_words_after_any_command_are_settings_or_an_error(
        lines in proptest::collection::vec(
            (proptest::sample::select(super::super::apply::KEYWORDS.to_vec()), "[ -~]{0,30}"), 0..8),
    ) {
        let mut text = String::from("system a\n");
        for (key, words) in lines {
            text.extend([key, " ", &words, "\n"]);
        }
        if let Err(error) = read(&text) {
            prop_assert!(!error.to_one_line().contains('\n'));
        }
    }
}
