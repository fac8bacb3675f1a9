//! What every program takes and nobody can have meant, and what the configuration stands on and is not there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Site, make_program};

/// The lines of standard error that begin a message.
fn messages(err: &str) -> Vec<&str> {
    err.lines()
        .filter_map(|line| line.strip_prefix("uuchk: "))
        .collect()
}

/// Runs uuchk, which must find these and nothing else; carets and mends are on lines of their own.
pub(crate) fn assert_found(site: &Site, wanted: &[&str]) {
    let ran = site.run(&[]);
    let mut left = messages(&ran.err);
    for wrong in wanted {
        let found = left.iter().position(|line| line.contains(wrong));
        let found = found.unwrap_or_else(|| panic!("no '{wrong}' in\n{}", ran.err));
        left.remove(found);
    }
    assert_eq!(left, Vec::<&str>::new(), "nobody expected these");
    assert_eq!(ran.status, Some(i32::from(!wanted.is_empty())), "{ran:?}");
}

pub(crate) fn config(more: &str) -> String {
    format!(
        "nodename alpha\nspool FOLDER/spool\nlogfile FOLDER/spool/Log\nstatfile FOLDER/spool/Stats\nlockdir FOLDER/spool\npubdir FOLDER/pub\n{more}"
    )
}

const TCP: &str = "port tcp\ntype tcp\n";

#[test]
fn words_of_config_that_nobody_knows_and_files_that_are_missing() {
    let more = "spol /var/x\nsysfile sys sys2\nportfile FOLDER/nowhere\ndialfile dial\ncu baud 9600\nuucp debag chat\nunknown protocol q\n";
    let site = Site::new(&[("config", &config(more)), ("sys", ""), ("dial", "")]);
    assert_found(
        &site,
        &[
            "config: line 7, column 1: 'spol' is not a command of a config file, and every program ignores it",
            "config: line 8, column 13: sys2 is not there",
            "config: line 9, column 10: nowhere is not there",
            "config: line 12, column 6: 'debag' is not a command",
            "config: line 13, column 18: uucico speaks no link protocol 'q'",
        ],
    );
    let ran = site.run(&[]);
    assert!(ran.err.contains("did you mean 'spool'?"), "{}", ran.err);
    assert!(ran.err.contains("did you mean 'debug'?"), "{}", ran.err);
}

#[test]
fn names_of_nothing_in_sys_port_and_dial() {
    let sys = "protocol tq\n\
        system hub\nalias nabe\ntime any\nport tcq\nchat \"\" \\Q\\d ogin:\\d-\\K-x \\L\nchat-fail NO\\cX\ncall-login *\n\
        system leaf\ntime any\nport modem\ncall-password p\\w\nprotocol-parameter q window 3\n\
        system nabe\ntime any\nport tcp\n\
        system other\nalias leaf\n\
        system line\ntime any\nport type modem\nport dialer heyes\nport service 5\n\
        system fast\ntime any\nspeed 115200\nport modem\n\
        system idle\ncall-login *\n";
    let port = "port tcp\ntype tcp\nservice nosuchservice\nprotocol xt\ndialer-sequence TCP 540 nobody x\n\
        port modem\nspeed 9600\ndialer heyes\n";
    let dial = "dialer hayes\nchat \"\" ATZ\\Z OK\\r\ncomplete \\d\\q\nabort-chat \"\" \\a\n";
    let site = Site::new(&[("sys", sys), ("port", port), ("dial", dial)]);
    assert_found(
        &site,
        &[
            "sys: line 1, column 10: uucico speaks no link protocol 'q'",
            "sys: line 5, column 6: no port file describes port 'tcq'",
            "sys: line 6, column 9: '\\Q' is no escape here, and stands for 'Q'",
            "sys: line 6, column 14: '\\d' is no escape here",
            "sys: line 7, column 11: '\\c' is no escape here",
            "sys: line 8, column 12: no call file has a line for system 'hub'",
            "sys: line 12, column 15: an escape here is unknown",
            "sys: line 13, column 20: uucico speaks no link protocol 'q'",
            "sys: line 14, column 8: 'nabe' is described a second time; what sys:3 says is used",
            "sys: line 18, column 7: 'leaf' is described a second time; what sys:9 says is used",
            "sys: line 22, column 13: no dial file describes dialer 'heyes'",
            "sys: line 23, column 6: 'service' is not a command of ports of type modem",
            "system 'fast' cannot be called: port 'modem' does not run at speed 115200",
            "port: line 3, column 9: the TCP service 'nosuchservice' is unknown",
            "port: line 4, column 10: uucico speaks no link protocol 'x'",
            "port: line 5, column 25: no dial file describes dialer 'nobody'",
            "port: line 8, column 8: no dial file describes dialer 'heyes'",
            "dial: line 2, column 9: '\\Z' is no escape here",
            "dial: line 3, column 10: '\\q' is no escape here",
            "dial: line 4, column 15: '\\a' is no escape here",
        ],
    );
    let ran = site.run(&[]);
    assert!(ran.err.contains("did you mean 'tcp'?"), "{}", ran.err);
    assert!(ran.err.contains("did you mean 'hayes'?"), "{}", ran.err);
    assert!(!ran.err.contains("p\\w"), "a password: {}", ran.err);
}

#[test]
fn a_system_needs_a_port_to_be_called_over() {
    let site = Site::new(&[("sys", "system hub\ntime any\n")]);
    let call = "system 'hub' cannot be called: port describes no port to call over";
    assert_found(&site, &[call]);
    site.write("port", TCP);
    assert_found(&site, &[]);
    site.write("sys", "system hub\ntime any\nspeed 9600\n");
    let call =
        "system 'hub' cannot be called: port describes no serial port that runs at speed 9600";
    assert_found(&site, &[call]);
}

#[test]
fn passwords_that_everybody_can_read() {
    let site = Site::new(&[("call", "hub Ua x\n"), ("passwd", "Ua x\n")]);
    assert_found(&site, &[]);
    for name in ["call", "passwd"] {
        let mode = fs::Permissions::from_mode(0o604);
        fs::set_permissions(site.path(name), mode).unwrap();
    }
    let wrong = [
        "call: everybody can read the passwords in it; chmod o-r",
        "passwd: everybody",
    ];
    assert_found(&site, &wrong);
    // A group's are somebody's who must be able to.
    for name in ["call", "passwd"] {
        let mode = fs::Permissions::from_mode(0o640);
        fs::set_permissions(site.path(name), mode).unwrap();
    }
    assert_found(&site, &[]);
}

#[test]
fn the_spool_is_there_and_its_owners() {
    let site = Site::new(&[]);
    let spool = site.path("spool");
    let mode = |bits| fs::set_permissions(&spool, fs::Permissions::from_mode(bits)).unwrap();
    mode(0o575);
    assert_found(&site, &["spool: user "]);
    mode(0o777);
    assert_found(&site, &["spool: everybody can write in the spool"]);
    mode(0o2770);
    assert_found(&site, &[]);
    site.write(
        "config",
        &config("lockdir /proc/sys\nlogfile /proc/1/Log\n"),
    );
    assert_found(&site, &["/proc/1/Log: user ", "/proc/sys: user "]);
    site.write("config", &config(""));
    fs::remove_dir(&spool).unwrap();
    assert_found(
        &site,
        &["spool: the spool directory is not there; make it with"],
    );
    site.write("spool", "");
    assert_found(&site, &["spool: the spool is not a directory"]);
    if nix::unistd::geteuid().is_root() {
        fs::remove_file(&spool).unwrap();
        fs::create_dir(&spool).unwrap();
        assert_found(&site, &["spool: the spool belongs to user root"]);
    }
}

#[test]
fn everything_in_mail_toml() {
    let sys = "system hub\nalias nabe\nsystem leaf\n";
    let mail = "postmaster = 7\n\
        [delivery]\nsendmail = \"/no/such/sendmail\"\nsessions = 99\n\
        [execution]\njobs = 0\n\
        [hooks]\nconnect = [\"/no/such/up\"]\n\
        [sending]\ncompression = \"gzip\"\ncompression-level = 12\n\
        [policy]\nsender-domains = [\"*.x\"]\n\
        [neighbour.hubb.policy]\nkept-limit = 1\n\
        [neighbour.nabe.policy]\nkept-limit = 1\n\
        [neighbour.hub.sending]\ncompression = \"zstd\"\ndictionary = \"what\"\ncompression-level = 20\n\
        [neighbour.leaf.sending]\ncompression = \"zstd\"\ndictionary = \"0000abcd\"\ncompression-level = 3\ncarrier = \"nncp\"\nnncp-exec = \"/etc/passwd\"\n\
        [neighbour.leaf.delivery]\nmaildir = \"/proc/1/%u\"\n";
    let site = Site::new(&[("sys", sys), ("mail.toml", mail)]);
    assert_found(
        &site,
        &[
            "mail.toml:1: invalid type: integer `7`",
            "mail.toml:3: sendmail: there is no program /no/such/sendmail",
            "mail.toml:4: '99' is not a number from 1 to 64",
            "mail.toml:6: '0' is not a number from 1 to 256",
            "mail.toml:8: connect: there is no program /no/such/up",
            "mail.toml:11: compression-level = 12: gzip has 1 to 9",
            "mail.toml:13: '*.x' is not a domain here; write \".x\" for that domain and all below",
            "mail.toml:14: no sys file describes 'hubb'; did you mean 'hub'?",
            "mail.toml:16: 'nabe' is an alias of hub, and its section holds for nobody; write [neighbour.hub...]",
            "mail.toml:20: dictionary = \"what\" is neither an id",
            "mail.toml:21: compression-level = 20: zstd has 1 to 19",
            "mail.toml:24: there is no dictionary 0000abcd in spool/.Mail",
            "mail.toml:27: nncp-exec: there is no program /etc/passwd",
            "mail.toml:29: maildir: user ",
        ],
    );
    // Whoever need not be described may have a section all the same.
    site.write("mail.toml", "[neighbour.guest.policy]\nkept-limit = 1\n");
    site.write("config", &config("unknown commands rmail\n"));
    assert_found(&site, &[]);
}

#[test]
fn what_is_wrong_in_mail_toml_has_a_caret_too() {
    let text = "[sending]\n\tfromat = \"bsmtp\"\n";
    let site = Site::new(&[("mail.toml", text)]);
    let err = site.run(&[]).err;
    let shown = "mail.toml:2: 'fromat' is not a key of [sending]; did you mean 'format'?\n     fromat = \"bsmtp\"\n     ^^^^^^\n";
    assert!(err.contains(shown), "{err}");
}

#[test]
fn what_fails_when_it_is_tried_is_noted() {
    let sys = "system hub\naddress hub.example\ncalled-login Uhub\ncommand-path FOLDER/bin /nowhere\ncommands rmail rgsmtp\n\
        system leaf\nport tcp\ntime never\ncalled-login Uleaf\n\
        system radio\ntime any\nport tcp\n";
    let site = Site::new(&[("sys", sys), ("port", TCP), ("passwd", "Uleaf x\n")]);
    let note = "note: system 'hub' has a port or an address and no time, and is never called";
    let login = "note: system 'hub': nobody can log in as 'Uhub'";
    let check = |more: &[&str]| {
        let err = site.run(&[]).err;
        let mut told: Vec<&str> = messages(&err);
        told.retain(|line| !line.starts_with(note) && !line.starts_with(login));
        assert_eq!(messages(&err).len(), told.len() + 2, "{err}");
        assert_eq!(told.len(), more.len(), "{err}");
        assert!(more.iter().all(|one| err.contains(one)), "{err}");
    };
    let nowhere =
        "there is none in bin /nowhere; name the folder where it is with 'command-path' in sys";
    check(&[nowhere]);
    make_program(&site.path("bin/rsmtp"));
    let link = "'commands' permits rgsmtp, and there is none in bin /nowhere; 'ln -s rsmtp bin/rgsmtp' makes it";
    check(&[link]);
    fs::set_permissions(site.path("pub"), fs::Permissions::from_mode(0o775)).unwrap();
    check(&[link, "pub: not everybody can write in the public directory"]);
    fs::remove_dir(site.path("pub")).unwrap();
    check(&[link, "pub: the public directory is not there"]);
    assert_eq!(site.run(&[]).status, Some(0), "notes are no faults");
}

/// A system of somebody's own, and what there is in his folder `bin`.
const OWN: &str = "system hub\npubdir FOLDER/own\ncommand-path FOLDER/bin\ntime never\n";

#[test]
fn only_what_brings_mail_and_cannot_be_run_is_noted() {
    let site = Site::new(&[(
        "sys",
        &format!("{OWN}commands rmail rgsmtp crsmtp ls-of-mine\n"),
    )]);
    site.make("own", 0o1777);
    // A folder is no program, nor is what nobody may run.
    site.make("bin/rgsmtp", 0o755);
    site.write("bin/crsmtp", "");
    let found = |wanted: &[&str]| {
        let err = site.run(&[]).err;
        let told = messages(&err);
        assert_eq!(told.len(), wanted.len(), "{err}");
        assert!(wanted.iter().all(|one| err.contains(one)), "{err}");
    };
    found(&["'commands' permits rgsmtp, ", "'commands' permits crsmtp, "]);
    // What else rsmtp is called, rmail it is not.
    make_program(&site.path("bin/rsmtp"));
    fs::remove_file(site.path("bin/rmail")).unwrap();
    found(&[
        "'ln -s rsmtp bin/rgsmtp' makes it",
        "'ln -s rsmtp bin/crsmtp' makes it",
        "permits rmail, and there is none in bin; name the folder where it is with 'command-path'",
    ]);
}

#[test]
fn a_public_directory_is_noted_where_files_may_come() {
    let site = Site::new(&[("sys", OWN)]);
    let noted = |sys: &str| {
        site.write("sys", sys);
        let err = site.run(&[]).err;
        assert!(err.is_empty() || messages(&err).len() == 1, "{err}");
        err.contains("note: own: the public directory is not there")
    };
    assert!(noted(OWN));
    assert!(!noted(&format!("{OWN}remote-receive FOLDER/bin\n")));
}

#[test]
fn a_login_is_noted_where_a_password_is_asked_for() {
    let sys = |login: &str| format!("{OWN}called-login {login}\n");
    let site = Site::new(&[("passwd", "Uleaf x\n")]);
    site.make("own", 0o1777);
    let noted = |sys: &str, tls: &str| {
        site.write("sys", sys);
        site.write("mail.toml", &format!("[neighbour.hub.tls]\n{tls}\n"));
        let err = site.run(&[]).err;
        assert!(err.is_empty() || messages(&err).len() == 1, "{err}");
        err.contains("note: system 'hub': nobody can log in as ")
    };
    assert!(noted(&sys("nobody-of-that-name"), ""));
    // A user of this machine is somebody.
    assert!(!noted(&sys("root"), ""));
    let key = "pins = [\"sha256:KEY\"]".replace("KEY", &"0a".repeat(32));
    assert!(noted(&sys("nobody-of-that-name"), &key));
    assert!(!noted(
        &sys("nobody-of-that-name"),
        &format!("{key}\nlogin = false")
    ));
}

#[test]
fn each_folder_that_is_written_to_is_looked_at() {
    let site = Site::new(&[]);
    site.make("log", 0o777);
    for (word, path, folder) in [
        ("logfile", "FOLDER/log/Log", None),
        ("statfile", "/proc/1/uucp/Stats", Some("/proc/1/uucp")),
        ("lockdir", "/proc/1/uucp", Some("/proc/1/uucp")),
    ] {
        site.write("config", &config(&format!("{word} {path}\n")));
        let wanted = folder.map(|folder| format!("{folder}: the folder for '{word}' is not there"));
        assert_found(&site, wanted.as_deref().as_slice());
    }
}

/// What is missing is told in one go, with what makes it.
#[test]
fn folders_of_journals_are_told_beside_a_missing_spool() {
    let site = Site::new(&[]);
    fs::remove_dir(site.path("spool")).unwrap();
    site.write("config", &config("logfile /proc/1/uucp/Log\n"));
    let journal = "/proc/1/uucp: the folder for 'logfile' is not there";
    assert_found(&site, &["spool: the spool directory is not there", journal]);
    let err = site.run(&[]).err;
    assert!(
        err.contains("'install -d -o ") && err.contains(" /proc/1/uucp'"),
        "{err}"
    );
}

/// A node in a home folder, before its first call: its folders are the user's to make, and nothing is said of uucp.
#[test]
fn in_a_home_folder_nothing_is_uucps() {
    let site = Site::new(&[]);
    fs::remove_dir(site.path("spool")).unwrap();
    site.write(
        "config",
        &config("logfile FOLDER/log/Log\nstatfile FOLDER/log/Stats\n"),
    );
    let err = site.run_at_home().err;
    let told = messages(&err);
    assert_eq!(told.len(), 1, "{err}");
    assert!(
        told[0].starts_with("spool: the spool directory is not there"),
        "{err}"
    );
    assert!(!err.contains("-o uucp"), "{err}");
}

#[test]
fn faults_are_in_the_json_too() {
    let site = Site::new(&[("sys", "system hub\ntime any\nport tpc\n")]);
    let ran = site.run(&["--json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0]
            .as_str()
            .unwrap()
            .starts_with("sys: line 3, column 6")
    );
    assert!(report["notes"].is_array());
}
