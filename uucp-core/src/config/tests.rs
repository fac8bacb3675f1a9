use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::permission::PermittedCommand;
use super::port::PortKind;
use super::*;

/// A configuration directory.
struct Site(tempfile::TempDir);

impl Site {
    fn new(files: &[(&str, &str)]) -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            std::fs::write(site.path(name), text).unwrap();
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn try_load(&self) -> Result<Config, ConfigError> {
        Config::load(Some(&self.path("config")))
    }

    fn load(&self) -> Config {
        self.try_load().unwrap()
    }

    /// An error with the directory taken out of it.
    fn told(&self, error: &ConfigError) -> String {
        let directory = format!("{}/", self.0.path().display());
        error.to_one_line().replace(&directory, "")
    }
}

fn name(text: &str) -> SystemName {
    text.parse().unwrap()
}

fn system(config: &Config, wanted: &str) -> System {
    config.system(&name(wanted)).unwrap().unwrap()
}

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
fn several_sys_files_have_their_own_defaults() {
    let site = Site::new(&[
        (
            "config",
            "nodename me\nsysfile missing sys.local sys.remote\n",
        ),
        (
            "sys.local",
            "myname local\ncalled-login Ulocal comton\nalternate\nport port2\nsystem comton\nalias c\nsystem bugs\n",
        ),
        (
            "sys.remote",
            "system uupsi\nmyname airs\ncalled-login Uuupsi\nsystem bugs\nphone 9\nsystem free\ncalled-login Ulocal extra\n",
        ),
    ]);
    let config = site.load();
    assert!(config.knows_any_sys_file().unwrap());
    let names = config.system_names().unwrap();
    let names: Vec<_> = names.iter().map(SystemName::as_str).collect();
    assert_eq!(names, ["comton", "bugs", "uupsi", "bugs", "free"]);
    assert_eq!(system(&config, "c").name.as_str(), "comton");
    assert_eq!(system(&config, "comton").alternates.len(), 2);
    assert_eq!(
        system(&config, "bugs").settings().phone,
        None,
        "the first one holds"
    );
    assert_eq!(system(&config, "uupsi").alternates.len(), 1);

    let restricted = config.systems_of_login(b"Ulocal").unwrap().unwrap();
    assert_eq!(restricted, [name("comton"), name("extra")]);
    assert_eq!(config.systems_of_login(b"Uuupsi").unwrap(), None);
    for (login, wanted) in [("Ulocal", "local"), ("Uuupsi", "airs"), ("Ux", "me")] {
        assert_eq!(
            config.name_for_login(login.as_bytes()).unwrap().as_str(),
            wanted
        );
    }
}

#[test]
fn another_systems_mistakes_do_not_matter() {
    let site = Site::new(&[
        ("config", "nodename me\n"),
        (
            "sys",
            "system bad\nfrobnicate\nsystem good\nphone 1\nsystem worse\ntime Foo\n",
        ),
    ]);
    let config = site.load();
    assert_eq!(
        system(&config, "good").settings().phone.as_deref(),
        Some(&b"1"[..])
    );
    let error = config.system(&name("worse")).unwrap_err();
    assert!(site.told(&error).starts_with("sys:6:6: 'Foo'"));
    assert!(
        config
            .for_each_system(|_| ControlFlow::Continue(()))
            .is_err()
    );
}

#[test]
fn unknown_systems_are_described_by_the_config_file() {
    let site = Site::new(&[(
        "config",
        "nodename me\nunknown receive-request no\nunknown pubdir /usr/spool/anonymous\nunknown remote-send ~ !~/upload\n\
         unknown commands\nunknown port type tcp\n",
    )]);
    let unknown = site
        .load()
        .unknown_system(&name("stranger"))
        .unwrap()
        .unwrap();
    let settings = unknown.settings();
    assert_eq!(unknown.name.as_str(), "stranger");
    assert!(!settings.receive_request && settings.send_request);
    assert!(!settings.commands.permits(b"rmail"));
    let pubdir = settings.pubdir.as_deref().unwrap();
    assert!(settings.remote_send.permits(&pubdir.join("INDEX"), pubdir));
    assert!(
        !settings
            .remote_send
            .permits(&pubdir.join("upload/x"), pubdir)
    );
    let none = Site::new(&[("config", "nodename me\n")]).load();
    assert_eq!(none.unknown_system(&name("x")).unwrap(), None);
    let wrong = Site::new(&[("config", "nodename me\nunknown foo bar\n")]);
    let error = wrong.load().unknown_system(&name("x")).unwrap_err();
    assert!(
        wrong
            .told(&error)
            .starts_with("config:2:9: 'foo' is not a command of a sys file")
    );
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

#[test]
fn this_system_may_do_everything_to_itself() {
    let site = Site::new(&[("config", "nodename me\n"), ("sys", "system other\n")]);
    let local = site.load().local_system().unwrap();
    assert_eq!(local.name.as_str(), "me");
    assert!(local.settings().commands.permits(b"anything"));
    std::fs::write(site.path("sys"), "system me\ncommands rmail\n").unwrap();
    let local = site.load().local_system().unwrap();
    assert!(!local.settings().commands.permits(b"anything"));
}

/// Postfix and ssh: the leaf of a well-known article.
#[test]
fn a_leaf_that_calls_over_ssh() {
    let site = Site::new(&[
        ("config", "nodename arch.imarketingplatform.com\n"),
        (
            "sys",
            "system mail.imarketingplatform.com\ntime Any\nport mail.imarketingplatform.com-SSH\ncall-login *\n\
             call-password *\nprotocol a\nsequence true\nfree-space 67108864\ncommands rmail\nchat-timeout 5\nchat word: \\P\n",
        ),
        (
            "port",
            "#\n# Run a remote uucico over ssh.\n#\nport mail.imarketingplatform.com-SSH\ntype pipe\nseven-bit false\n\
             reliable true\ncommand /usr/bin/ssh -2 -4 -a -C -c chacha20-poly1305@openssh.com,aes256-gcm@openssh.com \
             -e none -k -l uucp -o BatchMode=yes -o RekeyLimit=16K -q -tt mail.imarketingplatform.com\n",
        ),
        (
            "call",
            "mail.imarketingplatform.com arch.imarketingplatform.com choo1zei6su4Oofoov3eek\n",
        ),
    ]);
    let config = site.load();
    let hub = system(&config, "mail.imarketingplatform.com");
    let settings = hub.settings();
    assert!(settings.sequence && settings.can_be_called());
    assert!(hub.is_allowed(LocalTime::new(3, 3, 30)).is_some());
    assert_eq!(settings.free_space, 67_108_864);
    assert_eq!(settings.protocols.as_deref(), Some(&b"a"[..]));
    assert_eq!(
        settings.commands.lookup(b"rmail"),
        Some(PermittedCommand::Search)
    );
    assert!(!settings.commands.permits(b"rnews"));
    assert_eq!(settings.chat.timeout.as_secs(), 5);
    let [exchange] = settings.chat.script.as_slice() else {
        panic!("{:?}", settings.chat);
    };
    assert_eq!(exchange.expect[0].pattern, b"word:");
    assert_eq!(
        exchange.send,
        [
            chat::SendItem::Password,
            chat::SendItem::Bytes(b"\r".to_vec())
        ]
    );
    let PortChoice::Named(port) = &settings.port else {
        panic!("{:?}", settings.port);
    };
    let port = config.port(port).unwrap().unwrap();
    assert_eq!((port.seven_bit, port.reliable), (false, Some(true)));
    let PortKind::Pipe(pipe) = port.kind else {
        panic!("{:?}", port.kind);
    };
    assert_eq!(pipe.command.len(), 19);
    assert_eq!(pipe.command[0], b"/usr/bin/ssh");
    let credentials = config.call_credentials(&hub.name).unwrap().unwrap();
    assert_eq!(credentials.login, b"arch.imarketingplatform.com");
    assert_eq!(credentials.password.expose(), b"choo1zei6su4Oofoov3eek");
}

/// BSMTP over TCP between Exims: armada calls hostpro and tvsecure.
#[test]
fn a_site_that_calls_over_tcp() {
    let site = Site::new(&[
        (
            "config",
            "# config for armada\nnodename armada # The UUCP name of this system\n# end of config file\n",
        ),
        (
            "sys",
            "# default for all ports\ntime any\n# for rsmtp\ncommand-path /usr/sbin\n# unbatch our mail\ncommands rsmtp\n\
             # look all passwords up in the call file\ncall-login *\ncall-password *\nsystem hostpro\naddress hostpro.com\n\
             port type tcp\nsystem tvsecure\nport type tcp\nport service 5540\naddress tvsecure.com\n# end of sys file\n",
        ),
        (
            "call",
            "# armada call file\ntvsecure Uarmada s3cret\nhostpro Uarmada secr3t\n# end of call file\n",
        ),
    ]);
    let config = site.load();
    for (wanted, service, password) in [
        ("hostpro", "uucp", "secr3t"),
        ("tvsecure", "5540", "s3cret"),
    ] {
        let system = system(&config, wanted);
        let settings = system.settings();
        assert_eq!(settings.phone, Some(format!("{wanted}.com").into_bytes()));
        assert_eq!(settings.command_path, [PathBuf::from("/usr/sbin")]);
        assert!(settings.commands.permits(b"rsmtp") && !settings.commands.permits(b"rmail"));
        assert_eq!(settings.call_login, Some(CallWord::LookUp));
        assert!(matches!(&settings.port, PortChoice::Inline(port)
            if matches!(&port.kind, PortKind::Tcp(tcp) if tcp.service == service)));
        let credentials = config.call_credentials(&system.name).unwrap().unwrap();
        assert_eq!(credentials.password.expose(), password.as_bytes());
    }
}

/// The other two of the same article: called by armada, one of them run without root.
#[test]
fn sites_that_are_called_over_tcp() {
    let site = Site::new(&[
        ("config", "nodename hostpro\n"),
        (
            "sys",
            "time any\ncommand-path /usr/bin /usr/sbin\ncommands rsmtp spool\nsystem armada\n",
        ),
        (
            "passwd",
            "# passwd file for hostpro\nUarmada secr3t\n# end of passwd file\n",
        ),
    ]);
    let hostpro = site.load();
    let armada = system(&hostpro, "armada");
    assert!(armada.settings().commands.permits(b"spool"));
    assert!(
        !armada.settings().can_be_called(),
        "no port, no speed, no phone"
    );
    assert!(hostpro.check_login(b"Uarmada", b"secr3t").unwrap());
    assert!(!hostpro.check_login(b"Uarmada", b"s3cret").unwrap());
    assert!(!hostpro.check_login(b"Unobody", b"secr3t").unwrap());

    let tvsecure = Site::new(&[(
        "config",
        "nodename tvsecure # The UUCP name of this system\nhdb-files false\nv2-files false\n\
         spool /home/andyr/var/spool/uucp # The UUCP spool directory\nlockdir /home/andyr/var/spool/uucp\n\
         pubdir /home/andyr/var/spool/uucppublic\nlogfile /home/andyr/var/log/uucp/Log\n\
         sysfile /home/andyr/etc/uucp/sys # Default \"sys\"\npasswdfile /home/andyr/etc/uucp/passwd\n",
    )])
    .load();
    assert_eq!(tvsecure.lockdir, Path::new("/home/andyr/var/spool/uucp"));
    assert_eq!(
        tvsecure.files.sys,
        [PathBuf::from("/home/andyr/etc/uucp/sys")]
    );
}

/// The leaf of Taylor's manual: modem, dialer and all in the sys file.
#[test]
fn a_leaf_with_a_modem_described_in_the_sys_file() {
    let site = Site::new(&[
        ("config", "nodename airs\n"),
        (
            "sys",
            "system uunet\ncall-login *\ncall-password *\ntime any\ncall-timegrade Z Wk0755-2305,Su1655-2305\nphone 7389449\n\
             chat-timeout 120\nport type modem\nport device /dev/ttyd0\nport speed 19200\nport carrier true\n\
             port dialer chat \"\" ATZ\\r\\d\\c OK ATDT\\D CONNECT\nport dialer chat-fail BUSY\nport dialer chat-fail NO\\sCARRIER\n\
             port dialer complete \\d\\d+++\\d\\dATH\\r\\c\nprotocol-parameter g timeout 20\nprotocol-parameter g retries 10\n",
        ),
    ]);
    let uunet = system(&site.load(), "uunet");
    let PortChoice::Inline(port) = &uunet.settings().port else {
        panic!("{:?}", uunet.settings().port);
    };
    let PortKind::Modem(modem) = &port.kind else {
        panic!("{:?}", port.kind);
    };
    assert_eq!((modem.speed, modem.carrier), (Some(19200), true));
    let Some(port::DialerChoice::Inline(dialer)) = &modem.dialer else {
        panic!("{:?}", modem.dialer);
    };
    assert_eq!(dialer.chat.script.len(), 3);
    assert_eq!(dialer.chat.fail, [b"BUSY".to_vec(), b"NO CARRIER".to_vec()]);
    assert_eq!(uunet.settings().protocol_parameters.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_a_configuration_or_an_error(bytes: Vec<u8>) {
        let site = Site::new(&[("config", "nodename me\nsysfile all\nportfile all\ndialfile all\ncallfile all\npasswdfile all\n")]);
        std::fs::write(site.path("all"), &bytes).unwrap();
        let config = site.load();
        let _ = config.system(&name("x"));
        let _ = config.ports();
        let _ = config.dialer("x");
        let _ = config.call_credentials(&name("x"));
        let _ = config.systems_of_login(b"x");
        prop_assert!(!config.check_login(b"x", &bytes).unwrap_or(false));
        std::fs::write(site.path("config"), &bytes).unwrap();
        let _ = site.try_load();
    }
}

#[test]
fn the_man_page_names_every_command() {
    let page = include_str!("../../man/bangpath-config.5.md");
    let files = [
        &main_file::KEYWORDS[..],
        &apply::KEYWORDS,
        &port::KEYWORDS,
        &dial::KEYWORDS,
    ];
    for keyword in files.concat() {
        // A page that names `chat...` with a prefix means its five commands.
        let stem = keyword
            .find("chat-")
            .map_or(keyword, |at| &keyword[..at + 4]);
        assert!(page.contains(&format!("`{stem}`")), "{keyword}");
    }
}
