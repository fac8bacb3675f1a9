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

/// Phone and port of every alternate.
fn alternates(system: &System) -> Vec<String> {
    let show = |settings: &Settings| {
        let phone = settings.phone.as_deref().unwrap_or(b"-").escape_ascii();
        let port = match &settings.port {
            PortChoice::None => "-",
            PortChoice::Named(name) => name,
            PortChoice::Inline(port) => port.kind.name(),
        };
        let name = settings.alternate.as_deref().unwrap_or("");
        let unused = if settings.calls { "" } else { " unused" };
        format!("{name}:{phone}/{port}{unused}")
    };
    system.alternates.iter().map(show).collect()
}

#[test]
fn alternates_follow_the_first_section_and_the_defaults() {
    // Each as Taylor's uuchk shows it.
    let all = systems(
        "time any\nport port1\nalternate foo\nport port2\nalternate\nport port3\n\
         system hostpro\naddress h\nport type tcp\n\
         system b\nport type tcp\nalternate zz\nphone 99\n\
         system c\ndefault-alternates n\n\
         system d\nalternate\nphone 7\nalternate\nphone 8\nalternate\nphone 9\nalternate\ncommands x\n",
    );
    let shown: Vec<_> = all.iter().map(alternates).collect();
    assert_eq!(shown[0], [":h/tcp", "foo:h/tcp", ":h/tcp"]);
    assert_eq!(shown[1], [":-/tcp", "zz:99/tcp", ":-/tcp"]);
    assert_eq!(shown[2], [":-/port1"]);
    assert_eq!(
        shown[3],
        [
            ":-/port1",
            "foo:7/port2",
            ":8/port3",
            ":9/port3",
            ":-/port3 unused"
        ]
    );
    let inherits = systems("system a\nphone 1\nalternate\nphone 2\nalternate\nspeed 300\n");
    assert_eq!(alternates(&inherits[0]), [":1/-", ":2/-", ":1/-"]);
    assert_eq!(all[3].for_calling().count(), 4);
}

#[test]
fn the_login_chooses_among_alternates() {
    let all = systems(
        "system a\ncalled-login Ua\nalternate\ncalled-login Ub\ncommands x\nsystem b\nalternate\ncalled-login Ux\n\
         system c\ncalled-login Ua\nalternate\ncalled-login ANY\nalternate\ncalled-login Ux\n",
    );
    let permits = |login: &[u8]| all[0].for_login(login).map(|s| s.commands.permits(b"x"));
    assert_eq!(permits(b"Ua"), Some(false));
    assert_eq!(permits(b"Ub"), Some(true));
    assert_eq!(permits(b"Uc"), None);
    // The name counts for more than the place: any login is for those that nobody names.
    assert_eq!(all[1].for_login(b"Ux"), Some(&all[1].alternates[1]));
    assert_eq!(all[1].for_login(b"anything"), Some(all[1].settings()));
    assert_eq!(all[2].for_login(b"Ux"), Some(&all[2].alternates[2]));
    assert_eq!(all[2].for_login(b"other"), Some(&all[2].alternates[1]));
}

#[test]
fn wrong_lines_are_shown_with_a_caret_and_a_mend() {
    let golden = |commands: &str| {
        read(&format!("system a\n{commands}\n"))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        golden("  phnoe 12"),
        "sys: line 2, column 3: 'phnoe' is not a command of a sys file\n      phnoe 12\n      ^^^^^\n  did you mean 'phone'?"
    );
    assert_eq!(
        golden("time\tFoo # often"),
        "sys: line 2, column 6: 'Foo' is neither a day nor a timetable; days are Any Wk Su Mo Tu We Th Fr Sa Never\n    \
         time Foo # often\n         ^^^"
    );
    assert_eq!(
        golden("call-password my secret"),
        "sys: line 2, column 18: 'call-password' takes 0 to 1 words after it, not 2\n  words cannot be quoted; '#' begins a comment"
    );
}

#[test]
fn wrong_lines_fit_on_one_line() {
    for (commands, wanted) in [
        (
            "frobnicate",
            "sys:2:1: 'frobnicate' is not a command of a sys file (see bangpath-config(5) for the commands of a sys file)",
        ),
        (
            "sequence",
            "sys:2:1: 'sequence' takes one word after it, not 0",
        ),
        (
            "sequence maybe",
            "sys:2:10: 'maybe' is neither true nor false (write true or false, yes or no)",
        ),
        (
            "max-retries -1",
            "sys:2:13: '-1' is not a number that can stand here (write decimal digits only, without sign or unit)",
        ),
        (
            "timegrade zz any",
            "sys:2:11: 'zz' is not a grade (a grade is one of 0-9, A-Z, a-z)",
        ),
        (
            "time any x",
            "sys:2:10: 'x' is not a number that can stand here (write decimal digits only, without sign or unit)",
        ),
        (
            "chat-fail a b",
            "sys:2:13: 'chat-fail' takes one word after it, not 2 (words cannot be quoted; '#' begins a comment)",
        ),
        (
            "protocol-parameter gg x",
            "sys:2:20: 'gg' is not the letter of a link protocol (write one letter, for example g)",
        ),
        (
            "protocol-parameter g",
            "sys:2:1: 'protocol-parameter' takes at least 2 words after it, not 1",
        ),
        ("port", "sys:2:1: 'port' needs a command after it"),
        (
            "debug foo",
            "sys:2:7: 'foo' is not a kind of debugging (kinds are abnormal,chat,handshake,uucp-proto,proto,port,config,spooldir,execute,incoming,outgoing, all, none, or a number)",
        ),
        ("myname a!b", "sys:2:8: '!' cannot stand in a system name"),
        (
            "local-send / ! /private",
            "sys:2:14: '!' excludes nothing by itself (write '!' and the directory without a blank between them)",
        ),
        (
            "protocol t,g",
            "sys:2:10: 't,g' is not a list of link protocols (write letters, for example tgi)",
        ),
    ] {
        assert_eq!(error(commands), wanted);
    }
}

#[test]
fn every_keyword_for_suggestions_is_a_command() {
    for key in super::super::apply::KEYWORDS {
        let result = read(&format!("system a\n{key}\n"));
        let refused = matches!(&result, Err(e) if e.to_string().contains("not a command"));
        assert!(!refused, "{key}: {result:?}");
    }
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
