//! Systems out of several files, unknown ones, and this one.

use std::path::Path;

use super::*;

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

/// Whoever may write to the spool may have something executed here, as its owner.
#[test]
fn this_system_may_do_to_itself_what_others_may() {
    let site = Site::new(&[("config", "nodename me\n"), ("sys", "system other\n")]);
    let local = site.load().local_system().unwrap();
    assert_eq!(local.name.as_str(), "me");
    let settings = local.settings();
    assert!(settings.commands.permits(b"rmail") && settings.commands.permits(b"rnews"));
    assert!(!settings.commands.permits(b"sh"));
    let (passwd, public) = (Path::new("/etc/uucp/passwd"), Path::new("/pub"));
    for rules in [
        &settings.remote_send,
        &settings.remote_receive,
        &settings.local_receive,
    ] {
        assert!(!rules.permits(passwd, public));
        assert!(rules.permits(&public.join("x"), public));
    }
    assert!(settings.forward_to.permits("other"));
    std::fs::write(site.path("sys"), "system me\ncommands sh\n").unwrap();
    let local = site.load().local_system().unwrap();
    assert!(local.settings().commands.permits(b"sh"));
    assert!(!local.settings().commands.permits(b"rmail"));
}
