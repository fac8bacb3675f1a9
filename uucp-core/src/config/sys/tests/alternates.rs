//! Alternates: what they take over, and which of them a login chooses.

use super::*;

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
fn a_time_for_all_systems_is_for_those_of_which_more_is_said() {
    // Each as Taylor's uuchk shows it: "Calls will never be placed to this system", or not.
    let called = |text: &str| {
        let all = systems(text);
        all[0].for_calling().any(Settings::can_be_called)
    };
    for never in [
        "time any\nsystem a\n",
        "time any\ncommands rsmtp\nsystem a\ncalled-login Ua\ncommands rsmtp spool\n",
        "time any\nchat \"\" x\nsystem a\n",
        "time any\nsystem a\nalternate\ncommands x\n",
        "time any\nalternate b\naddress h\nsystem a\n",
    ] {
        assert!(!called(never), "{never}");
    }
    for calls in [
        "system a\ntime any\n",
        "time any\nsystem a\ntime any\n",
        "time any\nsystem a\naddress h\n",
        "time any\nsystem a\nchat \"\" x\n",
        "time any\nport tcp\nsystem a\n",
        "time any\nphone 1\nsystem a\n",
        "time any\nspeed 9600\nsystem a\n",
        "time any\nsystem a\nalternate\naddress h\n",
    ] {
        assert!(called(calls), "{calls}");
    }
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
