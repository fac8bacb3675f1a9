//! What stands in a folder where every member of a group may write.

use std::io::Write;
use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

#[test]
fn what_is_no_file_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::from_bits_truncate(0o600)).unwrap();
    // For both, or opening it would wait for the other side.
    let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
    share(&open(&pipe).unwrap(), folder.path());
    assert_eq!(mode(&pipe), 0o600);
    let said = open_shared(&pipe, OpenOptions::new().read(true).write(true)).unwrap_err();
    assert_eq!(said.to_string(), "it is not a regular file");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    share(&open(&file).unwrap(), folder.path());
    assert_eq!(mode(&file), FILE_MODE);
}

#[test]
fn what_is_made_is_the_groups_and_what_was_there_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let mut file = open_shared(&path, OpenOptions::new().append(true)).unwrap();
    file.write_all(b"one").unwrap();
    assert_eq!(mode(&path), FILE_MODE);
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let mut again = open_shared(&path, OpenOptions::new().append(true)).unwrap();
    again.write_all(b"two").unwrap();
    assert_eq!(mode(&path), 0o640);
    assert_eq!(fs::read(&path).unwrap(), b"onetwo");
    create_shared(&path).unwrap();
    assert_eq!((mode(&path), fs::read(&path).unwrap()), (FILE_MODE, vec![]));
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "what was in the making has gone");
    let missing = folder.path().join("missing/lock");
    let error = open_shared(&missing, OpenOptions::new().append(true)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_link_in_the_place_of_a_file_of_ours_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("secret"), "secret").unwrap();
    fs::set_permissions(at("secret"), Permissions::from_mode(0o600)).unwrap();
    for target in ["secret", "new"] {
        symlink(at(target), at("lock")).unwrap();
        let opened = open_shared(&at("lock"), OpenOptions::new().read(true).write(true));
        assert!(opened.is_err(), "{target}");
        create_shared(&at("lock")).unwrap().write_all(b"x").unwrap();
        fs::remove_file(at("lock")).unwrap();
        assert!(!at("new").exists());
    }
    assert_eq!(fs::read(at("secret")).unwrap(), b"secret");
    assert_eq!(mode(&at("secret")), 0o600);
    fs::create_dir(at("private")).unwrap();
    fs::set_permissions(at("private"), Permissions::from_mode(0o700)).unwrap();
    symlink(at("private"), at("state")).unwrap();
    open_to_group(&at("state"), folder.path());
    assert_eq!(mode(&at("private")), 0o700);
}

/// An administrator may keep the log on another disk; nobody else may say where it is.
#[test]
fn a_log_is_where_root_says_that_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (_, made) = open_log(&at("Log"), 0o640).unwrap();
    assert!(made && !open_log(&at("Log"), 0o640).unwrap().1);
    assert!(!open_log(Path::new("/dev/null"), 0o640).unwrap().1);
    symlink("Log", at("link")).unwrap();
    let is_roots = fs::symlink_metadata(at("link")).unwrap().uid() == 0;
    let mut ended = Vec::new();
    ended.push((is_roots, open_log(&at("link"), 0o640).is_ok()));
    if is_roots {
        std::os::unix::fs::lchown(at("link"), Some(65_534), None).unwrap();
        ended.push((false, open_log(&at("link"), 0o640).is_ok()));
    }
    assert!(ended.iter().all(|(wanted, got)| wanted == got), "{ended:?}");
}
