//! What never leaves this system: copies, `uuto` to a user here, `uupick`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::site::Site;
use crate::{said, uucp};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_of_this_system_are_copied_at_once() {
    let site = Site::new();
    let at = |name: &str| site.root.join(name);
    fs::set_permissions(at("cwd/f2"), fs::Permissions::from_mode(0o755)).unwrap();
    for arguments in [
        &["f1", "~/x"][..],
        &["f1", "f2", "~/new/dir/"],
        &["-R", "sub", "!~/tree"],
        &["alpha!~/x", "copy"],
    ] {
        let output = uucp(&site, &[&["-r"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    }
    for (name, text) in [
        ("pub/x", "one\n"),
        ("pub/new/dir/f1", "one\n"),
        ("pub/new/dir/f2", "two\n"),
        ("pub/tree/sub/f1", "other\n"),
        ("cwd/copy", "one\n"),
    ] {
        assert_eq!(fs::read_to_string(at(name)).unwrap(), text, "{name}");
    }
    assert_eq!(mode(&at("pub/new/dir/f2")), 0o755);
    assert_eq!(mode(&at("pub/new/dir")), 0o777);
    let left = fs::read_dir(at("pub")).unwrap().flatten();
    let left = left.filter(|e| e.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(left.count(), 0);
    let output = uucp(&site, &["-r", "-f", "f1", "~/nowhere/x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!at("pub/nowhere").exists());
}

#[test]
fn what_uuto_brings_uupick_hands_out() {
    let site = Site::new();
    let user = site.fill_in(" uucp -");
    let user = user.trim().trim_end_matches(" -");
    let target = format!("alpha!{user}");
    let uuto = Path::new(env!("CARGO_BIN_EXE_uuto"));
    let output = site.run(uuto, &["f1", "sub", &target]);
    assert!(output.status.success(), "{}", said(&output));
    let inbox = site.root.join("pub/receive").join(user).join("alpha");
    assert!(inbox.join("f1").is_file() && inbox.join("sub/f1").is_file());
    let uupick = Path::new(env!("CARGO_BIN_EXE_uupick"));
    // The harness answers `hello`, which is no command, and then comes the end.
    let output = site.run(uupick, &["-s", "alpha"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        text.starts_with("from alpha: file f1 ?\nuupick commands:\nq: quit\n"),
        "{text}"
    );
    let output = site.run(uupick, &["-s", "beta"]);
    assert!(output.status.success() && output.stdout.is_empty());
}

#[test]
fn uuto_leaves_files_where_they_are_and_tells_the_user_there() {
    let site = Site::new();
    let uuto = Path::new(env!("CARGO_BIN_EXE_uuto"));
    let output = site.run(uuto, &["-r", "f1", "beta!ann"]);
    assert!(output.status.success(), "{}", said(&output));
    let (work, data) = site.job("beta");
    let wanted = site.fill_in("S $CWD/f1 ~/receive/ann/alpha/ uucp -cdn D.#1 0644 ann\n");
    assert_eq!((work, data.len()), (wanted, 0));
}
