//! The file `config`: its values, its mistakes, and what is refused or not read at all.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn an_empty_config_file_has_debians_defaults() {
    let site = Site::new(&[("config", "# nothing\n")]);
    let config = site.load();
    assert_eq!(config.spool, Path::new("/var/spool/uucp"));
    assert_eq!(config.pubdir, Path::new("/var/spool/uucppublic"));
    assert_eq!(config.lockdir, Path::new("/var/lock"));
    assert_eq!(config.logfile, Path::new("/var/log/uucp/Log"));
    assert_eq!(config.statfile, Path::new("/var/log/uucp/Stats"));
    assert_eq!(config.debugfile, Path::new("/var/log/uucp/Debug"));
    assert_eq!((config.max_uuxqts, config.run_uuxqt), (0, RunUuxqt::Once));
    assert!(config.strip_login && config.strip_proto);
    assert_eq!(config.debug, DebugSet::NONE);
    assert_eq!(config.directory, site.0.path());
    assert_eq!(config.source, Some(site.path("config")));
    assert_eq!(config.files.sys, [site.path("sys")]);
    assert_eq!(config.files.passwd, [site.path("passwd")]);
}

#[test]
fn every_config_command_has_its_value() {
    let config = Site::new(&[(
        "config",
        "nodename me\nspool /s\npubdir /p\nlockdir /l\nlogfile /log\nstatfile /stat\ndebugfile /debug\n\
         debug chat\ndebug 1\nstrip-login n\nstrip-proto f\nmax-uuxqts 4\nrun-uuxqt 10\nhdb-files false\nv2-files no\n\
         sysfile a /b\nsysfile c\nportfile p\ndialfile d\ndialcodefile dc\ncallfile ca\npasswdfile pw\n\
         timetable Mine Mo\nfrobnicate x\ncu spool /cu\nuucp pubdir /q\n",
    )])
    .load();
    assert_eq!(config.nodename.as_str(), "me");
    let places = [
        (&config.spool, "/s"),
        (&config.pubdir, "/q"),
        (&config.lockdir, "/l"),
        (&config.logfile, "/log"),
        (&config.statfile, "/stat"),
        (&config.debugfile, "/debug"),
    ];
    for (place, wanted) in places {
        assert_eq!(place, Path::new(wanted));
    }
    assert_eq!(config.debug.to_string(), "abnormal,chat");
    assert!(!config.strip_login && !config.strip_proto && !config.hdb_files && !config.v2_files);
    assert_eq!(
        (config.max_uuxqts, config.run_uuxqt),
        (4, RunUuxqt::Every(10))
    );
    let beside = |name: &str| config.directory.join(name);
    assert_eq!(
        config.files.sys,
        [beside("a"), PathBuf::from("/b"), beside("c")]
    );
    let lists = [
        (&config.files.port, "p"),
        (&config.files.dial, "d"),
        (&config.files.dialcode, "dc"),
        (&config.files.call, "ca"),
        (&config.files.passwd, "pw"),
    ];
    for (list, file) in lists {
        assert_eq!(*list, [beside(file)]);
    }
    assert!(config.timetables.parse("mine").is_ok());
}

#[test]
fn a_wrong_config_file_is_told_with_its_place() {
    for (text, wanted) in [
        (
            "spool a b\n",
            "config:1:9: 'spool' takes one word after it, not 2 (words cannot be quoted; '#' begins a comment)",
        ),
        (
            "nodename a!b\n",
            "config:1:10: '!' cannot stand in a system name",
        ),
        (
            "run-uuxqt often\n",
            "config:1:11: 'often' does not say when to run uuxqt (write once, percall, never, or a number of execute files)",
        ),
        (
            "run-uuxqt 0\n",
            "config:1:11: '0' does not say when to run uuxqt (write once, percall, never, or a number of execute files)",
        ),
        (
            "\n\nuucp max-uuxqts y\n",
            "config:3:17: 'y' is not a number that can stand here (write decimal digits only, without sign or unit)",
        ),
        (
            "unknown\n",
            "config:1:1: 'unknown' needs a command after it",
        ),
        (
            "unknown system x\n",
            "config:1:9: 'unknown' describes systems that have no name here (describe a system in the sys file)",
        ),
        (
            "timetable x y\n",
            "config:1:13: 'y' is neither a day nor a timetable; days are Any Wk Su Mo Tu We Th Fr Sa Never",
        ),
    ] {
        let site = Site::new(&[("config", text)]);
        assert_eq!(site.told(&site.try_load().unwrap_err()), wanted);
    }
}

#[test]
fn a_missing_named_config_file_is_fatal_and_missing_others_are_not() {
    let site = Site::new(&[]);
    let error = site.try_load().unwrap_err();
    assert!(site.told(&error).starts_with("config: "), "{error}");
    assert!(error.is_temporary());
    let config = Site::new(&[("config", "nodename me\n")]).load();
    assert!(!config.knows_any_sys_file().unwrap());
    assert_eq!(config.system(&name("x")).unwrap(), None);
    assert_eq!(config.ports().unwrap(), []);
    assert_eq!(config.port("x").unwrap(), None);
    assert_eq!(config.dialer("x").unwrap(), None);
    assert_eq!(config.dialcode("x").unwrap(), None);
    assert!(config.call_credentials(&name("x")).unwrap().is_none());
    assert!(!config.check_login(b"x", b"y").unwrap());
}

#[test]
fn files_that_strangers_can_write_are_refused_by_name() {
    for refused in ["config", "sys"] {
        let site = Site::new(&[("config", "nodename me\n"), ("sys", "system a\n")]);
        let mode = std::fs::Permissions::from_mode(0o646);
        std::fs::set_permissions(site.path(refused), mode).unwrap();
        let error = site
            .try_load()
            .and_then(|config| config.system_names())
            .unwrap_err();
        let told = site.told(&error);
        assert!(
            told.starts_with(&format!("{refused}: everybody can write")),
            "{told}"
        );
    }
}

#[test]
fn old_style_files_are_never_read() {
    let site = Site::new(&[
        ("config", "nodename me\nhdb-files true\nv2-files true\n"),
        ("Systems", "hdb Any ACU 300 5551212\n"),
        ("L.sys", "v2 Any ACU 300 5551212\n"),
    ]);
    assert_eq!(site.load().system_names().unwrap(), []);
}

#[test]
fn no_password_is_printed_with_the_configuration() {
    let site = Site::new(&[(
        "config",
        "nodename me\nunknown call-password xyzzy\nunknown time any\n",
    )]);
    let config = site.load();
    let unknown = config.unknown_system(&name("x")).unwrap();
    for printed in [format!("{config:?}"), format!("{unknown:?}")] {
        assert!(
            !printed.contains("xyzzy") && !printed.contains("120, 121, 122"),
            "{printed}"
        );
    }
}
