use std::fs;
use std::path::Path;

use super::*;
use crate::config::{Config, PortKind, System};

const UUCICO: &str = "/usr/lib/bangpath/uucico";

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// The configuration that these files come to.
fn converted(files: &[(&str, &str)]) -> (tempfile::TempDir, Config, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    let converted = convert(folder.path(), Path::new(UUCICO)).unwrap();
    for file in &converted.files {
        fs::write(folder.path().join(file.name), &file.text).unwrap();
    }
    let config = Config::load(Some(&folder.path().join("config"))).unwrap();
    (folder, config, converted.notes)
}

fn system(config: &Config, name: &str) -> System {
    config.system(&name.parse().unwrap()).unwrap().unwrap()
}

fn refused(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    let error = convert(folder.path(), Path::new(UUCICO))
        .unwrap_err()
        .to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn systems_are_called_as_their_lines_say() {
    let (_folder, config, _) = converted(&[(
        "Systems",
        "# systems\nhub Wk0800-1700/C,Sa;9 ACU,gi 1200-2400 NY5=5#1 \"\" \\r\\d ogin:-BREAK-ogin: me word: p#w\n\
         hub Any TCP - host.example ogin: me\nleaf Never Direct C9600 -\n",
    )]);
    let hub = system(&config, "hub");
    let [_, first, second] = &hub.alternates[..] else {
        panic!("{hub:?}");
    };
    let grades: Vec<String> = first
        .time
        .iter()
        .map(|rule| rule.grade.to_string())
        .collect();
    assert_eq!(grades, ["C", "z"]);
    assert!(
        first
            .time
            .iter()
            .all(|rule| rule.retry.unwrap().as_secs() == 540)
    );
    assert_eq!(first.call_timegrade.len(), 1);
    assert_eq!(first.speed_range, Some((1200, 2400)));
    assert_eq!(first.phone.as_deref(), Some(&b"NY5=5#1"[..]));
    assert_eq!(first.protocols.as_deref(), Some(&b"gi"[..]));
    assert_eq!(
        first.chat.words().join(" "),
        "\"\" \\r\\d ogin:-BREAK-ogin: me word: p#w"
    );
    assert!(second.speed_range.is_none() && second.protocols.is_none());
    assert_eq!(second.phone.as_deref(), Some(&b"host.example"[..]));
    assert!(
        second.calls
            && second
                .is_allowed(crate::config::LocalTime::new(0, 0, 0))
                .is_some()
    );
    let leaf = system(&config, "leaf");
    assert!(!leaf.settings().can_be_called());
    assert_eq!(leaf.settings().phone, None);
    assert_eq!(
        leaf.settings().port,
        crate::config::PortChoice::Named("DirectC".into())
    );
}

#[test]
fn every_option_of_permissions_has_its_place() {
    let (_folder, config, _) = converted(&[
        (
            "Systems",
            "hub Any ACU 1200 1\nsafe Any ACU 1200 1\nother Any ACU 1200 1\n",
        ),
        (
            "Permissions",
            "MACHINE=hub:x REQUEST=yes READ=/a:/b NOREAD=/a/c WRITE=/w NOWRITE=/w/n \\\n  COMMANDS=rmail:/bin/x MYNAME=me ALIAS=nabe PUBDIR=/p\n\
             LOGNAME=uhub:uhub2 SENDFILES=yes REQUEST=no\nLOGNAME=usafe VALIDATE=safe SENDFILES=call REQUEST=yes READ=/s CALLBACK=yes MYNAME=them\n\
             MACHINE=OTHER COMMANDS=ALL\n",
        ),
    ]);
    let hub = system(&config, "nabe");
    let login = |system: &System, login: &str| system.for_login(login.as_bytes()).cloned();
    let calling: Vec<_> = hub
        .for_calling()
        .filter(|one| one.can_be_called())
        .collect();
    let [calling] = calling[..] else {
        panic!("{hub:?}");
    };
    assert!(calling.send_request);
    assert_eq!(calling.remote_send.words(), ["/a", "/b", "!/a/c"]);
    assert_eq!(calling.remote_receive.words(), ["/w", "!/w/n"]);
    assert_eq!(calling.myname.as_ref().unwrap().as_str(), "me");
    assert_eq!(calling.pubdir.as_deref(), Some(Path::new("/p")));
    assert!(hub.settings().commands.permits(b"x") && !hub.settings().commands.permits(b"rnews"));
    // By login: nothing of what holds for calls to it.
    for name in ["uhub", "uhub2"] {
        let called = login(&hub, name).unwrap();
        assert!(!called.send_request && called.called_transfer && called.myname.is_none());
        assert_eq!(called.remote_send.words(), ["~"]);
        assert_eq!(called.pubdir, None);
    }
    assert!(login(&hub, "usafe").is_some(), "others may use it, too");
    assert!(login(&hub, "uother").is_none() && login(&hub, "").is_none());
    // Who is validated uses that login and no other.
    let safe = system(&config, "safe");
    let called = login(&safe, "usafe").unwrap();
    assert!(called.callback && !called.called_transfer && called.send_request);
    assert_eq!(called.myname.unwrap().as_str(), "them");
    assert!(login(&safe, "uhub").is_none());
    assert!(
        system(&config, "other")
            .settings()
            .commands
            .permits(b"anything")
    );
}

#[test]
fn devices_and_dialers_become_ports_and_dialers() {
    let (_folder, config, _) = converted(&[
        ("Systems", "hub Any ACU 1200 1\n"),
        (
            "Devices",
            "ACU ttyS2,M - 38400 hayes\nACU,g ttyS3 cua3 1200-2400 hayes \\T micom 5\nDirect ttyS4 - 9600 direct\n\
             Foo ttyS5 - Any direct\nTCP,te - - Any TCP 1540\nTCP uucp - - TCP \\D\nTLIS tcp - - TLIS \\D\n",
        ),
        (
            "Dialers",
            "hayes =W-P \"\" ATZ\\r\\c OK ATDT\\T CONNECT\ndirect\n",
        ),
        ("Dialcodes", "# c\nNY 212#\n"),
    ]);
    let ports = config.ports().unwrap();
    let kinds: Vec<&str> = ports.iter().map(|port| port.kind.name()).collect();
    assert_eq!(
        kinds,
        ["modem", "modem", "direct", "direct", "tcp", "tcp", "tli"]
    );
    let PortKind::Modem(modem) = &ports[1].kind else {
        panic!("{ports:?}");
    };
    assert_eq!(modem.dial_device.as_deref(), Some(Path::new("cua3")));
    assert_eq!(modem.speed_range, Some((1200, 2400)));
    let services: Vec<&str> = ports
        .iter()
        .filter_map(|port| match &port.kind {
            PortKind::Tcp(tcp) => Some(tcp.service.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(services, ["1540", "uucp"]);
    let hayes = config.dialer("hayes").unwrap().unwrap();
    assert_eq!(
        (hayes.dialtone, hayes.pause),
        (b"W".to_vec(), b"P".to_vec())
    );
    assert_eq!(hayes.chat.words().join(" "), "\"\" ATZ OK ATDT\\T CONNECT");
    assert_eq!(config.dialcode("NY").unwrap().as_deref(), Some("212#"));
}

#[test]
fn the_small_files_are_read_or_named() {
    let (folder, config, notes) = converted(&[
        (
            "Sysfiles",
            "service=cu systems=None\nservice=uucico systems=Systems:More \\\n devices=Devs\n",
        ),
        ("Systems", "hub Any ACU 1200 1\n"),
        ("More", "leaf Any ACU 1200 1\n"),
        ("Devs", "ACU ttyS9 - Any direct\n"),
        ("Maxuuxqts", "3\n"),
        ("Maxuuscheds", "2\n"),
        ("Poll", "hub 0 12\nleaf\n"),
        ("remote.unknown", ""),
        ("USERFILE", ""),
    ]);
    let names = config.system_names().unwrap();
    assert_eq!(names.len(), 2);
    assert_eq!(config.max_uuxqts, 3);
    assert_eq!(config.ports().unwrap().len(), 1);
    let crontab = fs::read_to_string(folder.path().join("crontab")).unwrap();
    assert!(
        crontab.contains("0 0,12 * * * /usr/lib/bangpath/uucico -r1 -s hub\n"),
        "{crontab}"
    );
    let notes = notes.join("\n");
    for note in ["USERFILE", "--max-calls 2", "remote.unknown"] {
        assert!(notes.contains(note), "{notes}");
    }
}

#[test]
fn unknown_callers_are_let_in_by_a_comment_only() {
    let files = [
        ("Systems", "hub Any ACU 1200 1\n"),
        ("remote.unknown", ""),
        (
            "Permissions",
            "LOGNAME=Uhub VALIDATE=hub\nLOGNAME=nuucp REQUEST=yes COMMANDS=none\nMACHINE=OTHER COMMANDS=rmail:who\n",
        ),
    ];
    let (folder, config, notes) = converted(&files);
    assert!(notes.join("\n").contains("remote.unknown"), "{notes:?}");
    let zeta = "zeta".parse().unwrap();
    assert!(config.unknown_system(&zeta).unwrap().is_none());
    let path = folder.path().join("config");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("#unknown", "unknown")).unwrap();
    let config = Config::load(Some(&path)).unwrap();
    let zeta = config.unknown_system(&zeta).unwrap().unwrap();
    assert!(zeta.for_login(b"Uhub").is_none(), "that is hub's");
    let settings = zeta.for_login(b"nuucp").unwrap();
    assert!(settings.send_request && settings.commands.permits(b"who"));
    assert!(!settings.can_be_called());
}

#[test]
fn what_cannot_be_understood_is_refused_with_its_place() {
    let systems = ("Systems", "hub Any ACU 1200 1 ogin: secret\n");
    for (files, wanted) in [
        (
            vec![("L.sys", "hub Any ACU 1200 1\n")],
            "L.sys: a file of UUCP version 2",
        ),
        (vec![], "there is no Systems file"),
        (
            vec![("Systems", "hub Any;x ACU 1200 1\n")],
            "Systems: line 1, column 5",
        ),
        (
            vec![("Systems", "\nhub Any/CC ACU 1200\n")],
            "Systems: line 2",
        ),
        (vec![("Systems", "hub Any ACU 12x 1\n")], "neither a speed"),
        (
            vec![("Systems", "../x Any ACU 12 1\n")],
            "Systems: line 1, column 1",
        ),
        (
            vec![systems, ("Permissions", "MACHINE=hub READS=/\n")],
            "Permissions: line 1, column 13: this is no option",
        ),
        (
            vec![systems, ("Permissions", "MACHINE = hub\n")],
            "no blank around",
        ),
        (
            vec![systems, ("Permissions", "REQUEST=yes\n")],
            "neither MACHINE nor LOGNAME",
        ),
        (
            vec![systems, ("Permissions", "MACHINE=hub REQUEST=maybe\n")],
            "neither yes nor no\n    MACHINE=hub REQUEST=maybe\n                        ^^^^^",
        ),
        (
            vec![systems, ("Poll", "hub;id 4\n")],
            "Poll: line 1, column 1",
        ),
        (
            vec![systems, ("Poll", "hub 4 24\n")],
            "Poll: line 1, column 7: this is no hour",
        ),
        (
            vec![systems, ("Devices", "TCP,t/g - - Any TCP\n")],
            "Devices: line 1, column 5: these are no link protocols",
        ),
        (
            vec![systems, ("Devices", "ACU,g(7 tty1 - Any direct\n")],
            "Devices: line 1, column 5: these are no link protocols",
        ),
        (vec![systems, ("Maxuuxqts", "many\n")], "this is no number"),
        (
            vec![systems, ("Sysfiles", "nonsense\n")],
            "Sysfiles: line 1",
        ),
    ] {
        let error = refused(&files);
        assert!(error.contains(wanted), "{files:?}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn protocols_may_stand_between_commas_and_have_their_numbers() {
    let (_folder, config, _) = converted(&[
        (
            "Systems",
            "hub Any TCP,t,g - host\nleaf Any ACU,G(3,512)g Any 1\nleaf Any TCP - host\n",
        ),
        (
            "Devices",
            "TCP,e,t - - Any TCP\nACU,g(7) tty1 - Any direct\n",
        ),
    ]);
    let letters = |name: &str| -> Vec<Option<Vec<u8>>> {
        let system = system(&config, name);
        let calling = system.for_calling().filter(|one| one.can_be_called());
        calling.map(|one| one.protocols.clone()).collect()
    };
    assert_eq!(letters("hub"), [Some(b"tg".to_vec())]);
    assert_eq!(letters("leaf"), [Some(b"Gg".to_vec()), None]);
    let parameters = |all: &[crate::config::ProtocolParameter]| -> Vec<String> {
        let all = all.iter();
        all.map(|one| format!("{} {} {}", char::from(one.letter), one.name, one.value))
            .collect()
    };
    let leaf = system(&config, "leaf");
    let calling: Vec<_> = leaf.for_calling().collect();
    assert_eq!(
        parameters(&calling[1].protocol_parameters),
        ["G window 3", "G packet-size 512"]
    );
    let ports = config.ports().unwrap();
    assert_eq!(ports[0].protocols.as_deref(), Some(&b"et"[..]));
    assert_eq!(parameters(&ports[1].protocol_parameters), ["g window 7"]);
}
