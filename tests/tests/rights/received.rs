//! Mail that is received: in one place for the owner of the spool and for every member of its group, and handed over by the owner.

use super::*;

/// Mail of a neighbour, handed to rsmtp by this user of this group, who is a member of these, too.
fn receive(site: &Site, node: &Node, ids: [&str; 3], neighbour: &str) -> Finished {
    let batch = format!(
        "HELO {neighbour}\nMAIL FROM:<bob@far.example>\nRCPT TO:<ann@hub.example>\nDATA\n\
         Subject: from {neighbour}\n\nHello.\n.\nQUIT\n"
    );
    process::run_with_input(
        rsmtp(node, ids, Some(neighbour)),
        batch.as_bytes(),
        site.path(),
    )
}

fn rsmtp(node: &Node, ids: [&str; 3], neighbour: Option<&str>) -> Command {
    let mut command = command_by(ids, &node.side().program("rsmtp"));
    command
        .env("BANGPATH_CONFIG", node.config())
        .envs(neighbour.map(|name| ("UU_MACHINE", name)));
    command
}

#[test]
fn the_owner_and_a_member_of_the_group_keep_mail_in_the_same_place() {
    if !is_root_or_skip("the_owner_and_a_member_of_the_group_keep_mail_in_the_same_place") {
        return;
    }
    // The spool's group is what counts, whether or not it is inherited.
    for (mode, order) in [
        (0o2770, [MEMBER, UUCP]),
        (0o770, [MEMBER, UUCP]),
        (0o2770, [UUCP, MEMBER]),
    ] {
        let site = Site::new("rights");
        let node = telling_node(&site, "hub");
        let spool = fs::Permissions::from_mode(mode);
        fs::set_permissions(node.spool(), spool).unwrap();
        node.write_script("bin/sendmail", "#!/bin/sh\ncat >/dev/null; exit 75\n");
        let sendmail = node.path("bin/sendmail").display().to_string();
        node.write(
            "etc/mail.toml",
            &format!("[delivery]\nsendmail = \"{sendmail}\"\n"),
        );
        for ids in [order, order].concat() {
            for neighbour in ["leaf", "far"] {
                receive(&site, &node, ids, neighbour).expect_success("rsmtp");
            }
        }
        let seen = every(vec![node.path("spool/.Mail")], |path, found| {
            let wanted = if found.is_dir() { 0o2770 } else { 0o660 };
            let got = (found.gid(), found.mode() & 0o7777);
            assert_eq!(got, (10, wanted), "{}", path.display());
        });
        assert!(seen > 8, "{seen}");
        // Each offers again what the other has kept.
        node.write_script("bin/sendmail", "#!/bin/sh\ncat >/dev/null\n");
        let mut command = rsmtp(&node, order[0], None);
        command.args(["--retry", "--now"]);
        process::run(command, site.path()).expect_success("rsmtp --retry");
        for neighbour in ["leaf", "far"] {
            assert_eq!(node.count(&format!(".Mail/kept/{neighbour}")), 0);
        }
    }
}

#[test]
fn mail_that_root_receives_is_handed_over_by_the_owner() {
    if !is_root_or_skip("mail_that_root_receives_is_handed_over_by_the_owner") {
        return;
    }
    let site = Site::new("rights");
    let node = telling_node(&site, "hub");
    let told = node.path("stored/mta").display().to_string();
    let script = format!("#!/bin/sh\ncat >/dev/null\nexec id >'{told}'\n");
    node.write_script("bin/sendmail", &script);
    let sendmail = node.path("bin/sendmail").display().to_string();
    let delivery = format!("[delivery]\nsendmail = \"{sendmail}\"\n");
    node.write("etc/mail.toml", &delivery);
    receive(&site, &node, ROOT, "leaf").expect_success("rsmtp");
    executed_by_uucp(&node, "mta");
    let seen = every(vec![node.spool()], |path, found| {
        assert_eq!((found.uid(), found.gid()), (10, 10), "{}", path.display());
    });
    assert!(seen > 3, "{seen}");
}

#[test]
fn a_state_directory_of_one_alone_is_opened_or_named() {
    if !is_root_or_skip("a_state_directory_of_one_alone_is_opened_or_named") {
        return;
    }
    let site = Site::new("rights");
    let node = telling_node(&site, "hub");
    node.write("etc/mail.toml", "[delivery]\nsendmail = \"/bin/false\"\n");
    let state = node.path("spool/.Mail");
    for folder in [state.clone(), state.join("kept")] {
        fs::create_dir(&folder).unwrap();
        of_root(&folder);
    }
    let run = process::run(
        {
            let mut command = rsmtp(&node, UUCP, None);
            command.arg("--retry");
            command
        },
        site.path(),
    );
    assert_eq!(run.status.code(), Some(75), "{run:?}");
    let name = state.join("kept").display().to_string();
    assert!(run.output.contains(&name), "{}", run.output);
    // The owner puts his own right.
    for folder in [&state, &state.join("kept")] {
        node.owner().give(folder);
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
    receive(&site, &node, UUCP, "leaf");
    let run = receive(&site, &node, MEMBER, "leaf");
    run.expect_success("rsmtp");
    let found = fs::metadata(&state).unwrap();
    assert_eq!((found.gid(), found.mode() & 0o7777), (10, 0o2770));
}
