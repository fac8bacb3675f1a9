//! Whole configurations, as sites have them and articles print them.

use super::super::permission::PermittedCommand;
use super::super::port::PortKind;
use super::*;

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
    // Nobody says where it is: "Calls will never be placed to this system".
    assert!(!armada.settings().can_be_called());
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
    let Some(DialerChoice::Inline(dialer)) = &modem.dialer else {
        panic!("{:?}", modem.dialer);
    };
    assert_eq!(dialer.chat.script.len(), 3);
    assert_eq!(dialer.chat.fail, [b"BUSY".to_vec(), b"NO CARRIER".to_vec()]);
    assert_eq!(uunet.settings().protocol_parameters.len(), 2);
}
