//! What a call may reach: the spool and what the configuration names, by the kernel's own check.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::lab::{Lab, script};
use crate::skip::skip;

/// Whether the kernel can do it here; the tests say so where it cannot.
fn has_landlock() -> bool {
    // Where the list cannot be read it is not known: then the test is made.
    let list = fs::read_to_string("/sys/kernel/security/lsm");
    let has = list.map_or(true, |list| list.contains("landlock"));
    if !has {
        skip("confined calls", "the kernel has no landlock");
    }
    has
}

/// Beta has a job for alpha; the folder of its data is a link to one outside of everything. What alpha has got in the end.
fn fetched_through_a_link(lab: &Lab) -> Vec<Vec<u8>> {
    lab.beta.queue("alpha", "ann", b"mail");
    let folder = lab.beta.root.join("spool/alpha/D.");
    let outside = lab.beta.root.join("outside");
    fs::rename(&folder, &outside).unwrap();
    for data in fs::read_dir(&outside).unwrap() {
        fs::write(data.unwrap().path(), "secret").unwrap();
    }
    symlink(&outside, &folder).unwrap();
    let (output, _) = lab.call();
    assert!(output.status.success());
    lab.alpha.arrived("beta")
}

#[test]
fn a_link_in_the_spool_leads_nowhere() {
    if !has_landlock() {
        return;
    }
    let lab = Lab::new("");
    assert!(fetched_through_a_link(&lab).is_empty());
    assert!(
        lab.beta.log().contains("Permission denied"),
        "{}",
        lab.beta.log()
    );
    assert_eq!(lab.beta.queued("alpha"), 1);
    // Without it, it does.
    let lab = Lab::new("");
    lab.beta.write("etc/mail.toml", "confine = false\n");
    assert_eq!(fetched_through_a_link(&lab), [b"secret"]);
}

#[test]
fn local_users_send_files_from_wherever_they_may() {
    // Nothing of the configuration names this folder, but that everything may be sent from here.
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("file");
    fs::write(&file, "content").unwrap();
    let lab = Lab::new("local-send /\nremote-receive ~\nlocal-receive ~\n");
    for (node, peer) in [(&lab.alpha, "beta"), (&lab.beta, "alpha")] {
        let open = fs::Permissions::from_mode(0o777);
        fs::set_permissions(node.root.join("pub"), open).unwrap();
        node.queue(peer, "joe", b"mail");
        let folder = node.root.join("spool").join(peer).join("C.");
        let line = format!("S {} ~/got uucp -c D.0 0644\n", file.display());
        fs::write(folder.join("C.N0001"), line).unwrap();
    }
    let (output, good) = lab.call();
    assert!(output.status.success() && good);
    for node in [&lab.alpha, &lab.beta] {
        assert_eq!(fs::read(node.root.join("pub/got")).unwrap(), b"content");
    }
}

#[test]
fn a_call_has_limits() {
    let lab = Lab::new("");
    let limits = script(
        &lab.beta,
        "limits",
        "(ulimit -S -d; ulimit -S -t) >\"$0.out\"",
    );
    lab.beta.append(
        "etc/sys",
        &format!("called-chat-program {}\n", limits.display()),
    );
    lab.alpha.queue("beta", "joe", b"mail");
    let (output, good) = lab.call();
    assert!(output.status.success() && good);
    let told = fs::read_to_string(lab.beta.root.join("limits.out")).unwrap();
    let numbers: Vec<u64> = told.lines().map(|line| line.parse().unwrap()).collect();
    assert!(matches!(numbers[..], [2_097_152, 3600..3700]), "{told}");
}
