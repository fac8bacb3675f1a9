//! `uucp`, `uuto` and `uupick` as black boxes: their command lines, and what they leave in the spool.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod here;
#[path = "../uux/site.rs"]
#[allow(dead_code, reason = "shared with the tests of uux")]
mod site;
mod vectors;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use site::Site;

fn uucp(site: &Site, arguments: &[&str]) -> Output {
    site.run(Path::new(env!("CARGO_BIN_EXE_uucp")), arguments)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_cannot_be_done_is_told_and_nothing_is_queued() {
    let long = format!("beta!~/{}", "x".repeat(10_000));
    let longer = format!("beta!gamma!~/{}", "x".repeat(5000));
    for (arguments, why) in [
        (&["-r", "nofile", "beta!~/x"][..], "No such file"),
        (&["-r", "f1", "nofile", "beta!~/x"], "No such file"),
        (&["-r", "no*", "beta!~/x"], "nothing fits"),
        (&["-r", "sub", "beta!~/x"], "directory without -R"),
        (&["-r", "f1", "unknown!~/x"], "unknown: system not found"),
        (&["-r", "unknown!~/x", "~/"], "unknown: system not found"),
        (&["-r", "f1", "be\nta!~/x"], "system name"),
        (&["-r", "f1", "../x!y"], "system name"),
        (&["-r", "f1", "-y!y"], "unexpected argument"),
        (&["-r", "f1", "beta!/a/../b"], "'..'"),
        (&["-r", "f1", "beta!~/.."], "'..'"),
        (&["-r", "-W", "f1", "beta!"], "no file on it"),
        (&["-r", "-W", "beta!../x", "~/"], "'..'"),
        (&["-r", "f1", &long], "too long"),
        (&["-r", &long, "~/"], "too long"),
        (&["-r", "f1", &longer], "command line of 50"),
        (&["-r", "f1", "beta!gamma!a\nb"], "cannot be forwarded"),
        (
            &["-r", "-n", "a\u{1}b", "f1", "beta!gamma!x"],
            "cannot be forwarded",
        ),
        (
            &["-r", "-c", "secret", "beta!~/x"],
            "uucico could not read it",
        ),
        (&["-r", "f1", "strict!~/x"], "local-send"),
        (&["-r", "beta!~/x", "f9"], "local-receive"),
        (&["-r", "beta!gamma!~/x", "f9"], "remote-receive"),
        (&["-r", "-t", "f1", "ann"], "system!user"),
        (&["-r", "-t", "f1", "beta!../ann"], "system!user"),
        (&["-r", "-t", "f1", "beta!"], "system!user"),
        (&["-r", "f1"], "required"),
        (&["-r"], "required"),
        (&["-r", "--nosuch", "f1", "beta!x"], "unexpected argument"),
    ] {
        let site = Site::new();
        // Neither everybody's nor, where the tests run as root, of the spool's owner.
        let secret = site.root.join("cwd/secret");
        fs::write(&secret, "s").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(site.root.join("spool"), Some(10), Some(10)).unwrap();
        } else {
            fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
        }
        let output = uucp(&site, arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        let readable = nix::unistd::geteuid().is_root() || !arguments.contains(&"secret");
        assert!(
            said.starts_with("uucp: ") && (said.contains(why) || !readable),
            "{arguments:?}: {said}"
        );
        assert_eq!(site.files(), BTreeMap::new(), "{arguments:?}");
        assert!(!site.root.join("pub/x").exists(), "{arguments:?}");
    }
}

#[test]
fn odd_names_are_quoted_exactly() {
    for (name, quoted) in [
        (&b"a b"[..], "a\\040b"),
        (b"a\nb", "a\\012b"),
        (b"t\tb\\", "t\\011b\\\\"),
        (b"\x01\x7f \xff", "\\001\\177\\040\\377"),
        (b"-x", "-x"),
        (b"'\"$(id)`;*", "'\"$(id)`;*"),
    ] {
        let site = Site::new();
        let name = std::ffi::OsStr::from_bytes(name);
        fs::write(site.root.join("cwd").join(name), "odd").unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_uucp"))
            .arg("-I")
            .arg(site.root.join("etc/config"))
            .args(["-r", "--"])
            .arg(name)
            .arg("beta!~/")
            .current_dir(site.root.join("cwd"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let (work, data) = site.job("beta");
        let wanted = format!("S {}/cwd/{quoted} ~/ ", site.root.display());
        assert!(work.starts_with(&wanted), "{work}");
        assert_eq!(work.lines().count(), 1);
        assert_eq!(data.values().collect::<Vec<_>>(), ["odd"]);
    }
}

#[test]
fn names_that_would_mislead_the_next_uucp_are_made_plain_or_refused() {
    let site = Site::new();
    for name in ["-x", "~y", "a!b", "a b"] {
        fs::write(site.root.join("cwd/sub").join(name), name).unwrap();
    }
    fs::remove_file(site.root.join("cwd/sub/f1")).unwrap();
    let output = uucp(&site, &["-r", "-R", "sub", "beta!gamma!~/"]);
    assert!(said(&output).contains("a!b"), "{}", said(&output));
    assert_eq!(site.files(), BTreeMap::new());
    fs::remove_file(site.root.join("cwd/sub/a!b")).unwrap();
    let output = uucp(&site, &["-r", "-R", "sub", "beta!gamma!~/"]);
    assert!(output.status.success(), "{}", said(&output));
    let (_, data) = site.job("beta");
    for line in [
        "C uucp -C -d -g N ./-x gamma!~//sub/-x\n",
        "C uucp -C -d -g N ./~y gamma!~//sub/~y\n",
        "C uucp -C -d -g N a\\040b gamma!~//sub/a\\040b\n",
    ] {
        assert!(data.values().any(|text| text.ends_with(line)), "{data:?}");
    }
}

#[test]
fn several_files_go_into_a_directory_even_if_it_is_not_there() {
    let site = Site::new();
    for arguments in [
        &["-r", "f1", "f2", "beta!~/d"][..],
        &["-r", "f?", "beta!~/d"],
    ] {
        let site = Site::new();
        assert!(uucp(&site, arguments).status.success());
        let (work, _) = site.job("beta");
        assert_eq!(work.matches(" ~/d/ ").count(), 2, "{work}");
    }
    assert!(uucp(&site, &["-r", "beta!~/f*", "~/d"]).status.success());
    let (work, _) = site.job("beta");
    assert!(
        work.ends_with("/pub/d/ root -d\n") || work.contains("/pub/d/ "),
        "{work}"
    );
}

#[test]
fn thousands_of_files_are_queued_with_few_descriptors() {
    let site = Site::new();
    for number in 0..1100 {
        fs::write(site.root.join(format!("cwd/sub/{number:04}")), "x").unwrap();
    }
    let output = uucp(&site, &["-r", "-j", "-R", "sub", "beta!~/"]);
    assert!(output.status.success(), "{}", said(&output));
    let ids = String::from_utf8(output.stdout).unwrap();
    let work: Vec<String> = site
        .files()
        .into_iter()
        .filter(|(name, _)| name.contains("/C./"))
        .map(|(_, content)| String::from_utf8(content).unwrap())
        .collect();
    assert_eq!(work.len(), ids.lines().count());
    let requests: usize = work.iter().map(|text| text.lines().count()).sum();
    assert_eq!(requests, 1101);
}

#[test]
fn job_ids_are_printed_for_each_system() {
    let site = Site::new();
    let output = uucp(&site, &["-r", "-j", "beta!~/x", "gamma!~/y", "f1", "~/"]);
    assert!(output.status.success(), "{}", said(&output));
    let ids = String::from_utf8(output.stdout).unwrap();
    let ids: Vec<&str> = ids.lines().collect();
    assert!(ids.len() == 2 && ids[0].starts_with("beta.N") && ids[1].starts_with("gamma.N"));
    for id in ids {
        let (system, job) = id.split_once('.').unwrap();
        let work = site.root.join("spool").join(system).join("C.");
        assert!(work.join(format!("C.{job}")).is_file());
    }
    assert_eq!(fs::read(site.root.join("pub/f1")).unwrap(), b"one\n");
}

#[test]
fn a_user_of_another_system_gets_what_that_system_may_have() {
    let site = Site::new();
    for (file, mode) in [
        ("pub/open", 0o644),
        ("pub/closed", 0o600),
        ("etc/open", 0o644),
    ] {
        fs::write(site.root.join(file), file).unwrap();
        fs::set_permissions(site.root.join(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::symlink(site.root.join("etc"), site.root.join("pub/link")).unwrap();
    let path = |name: &str| site.root.join(name).display().to_string();
    let (etc, out) = (path("etc/open"), path("etc/made"));
    for (from, to) in [
        (etc.as_str(), "gamma!~/x"),
        ("~/closed", "gamma!~/x"),
        ("~/link/open", "gamma!~/x"),
        (&etc, "~/copy"),
        ("f1", &out),
        ("f1", "~/link/made"),
        ("gamma!~/x", &out),
        ("gamma!~/x", "~/link/made"),
        ("sub/f1", "gamma!~/x"),
    ] {
        let output = uucp(&site, &["-r", "-ubeta!joe", from, to]);
        assert_eq!(output.status.code(), Some(1), "{from} {to}");
        assert!(said(&output).contains("not permitted"), "{}", said(&output));
        assert_eq!(site.files(), BTreeMap::new(), "{from} {to}");
    }
    assert!(!Path::new(&out).exists());
    for (from, to) in [("~/open", "gamma!~/x"), ("f1", "gamma!~/x"), ("f1", "~/y")] {
        let output = uucp(&site, &["-r", "-ubeta!joe", from, to]);
        assert!(output.status.success(), "{from} {to}: {}", said(&output));
    }
    assert_eq!(fs::read(site.root.join("pub/y")).unwrap(), b"one\n");
    // Nobody here can be made somebody else, and a system must be known.
    let output = uucp(&site, &["-r", "-u", "ann", "f1", "beta!~/x"]);
    assert!(output.status.success() && said(&output).contains("-u"));
    let output = uucp(&site, &["-r", "-unosuch!ann", "f1", "beta!~/x"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_log_says_what_was_queued() {
    let site = Site::new();
    assert!(uucp(&site, &["-r", "f1", "beta!~/x"]).status.success());
    let log = fs::read_to_string(site.root.join("Log")).unwrap();
    let text = format!(") Queuing send of {}/cwd/f1 to ~/x\n", site.root.display());
    assert!(
        log.starts_with("uucp beta ") && log.ends_with(&text),
        "{log}"
    );
}

#[test]
fn a_spool_that_cannot_be_written_is_an_error() {
    let site = Site::new();
    fs::remove_dir_all(site.root.join("spool")).unwrap();
    fs::write(site.root.join("spool"), "").unwrap();
    let output = uucp(&site, &["-r", "f1", "beta!~/x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).starts_with("uucp: "));
}

#[test]
fn help_gives_examples() {
    for (program, example) in [
        (env!("CARGO_BIN_EXE_uucp"), "uucp report.txt 'hub!~/'"),
        (env!("CARGO_BIN_EXE_uuto"), "uuto report.txt hub!ann"),
        (env!("CARGO_BIN_EXE_uupick"), "uupick -s hub"),
    ] {
        let output = std::process::Command::new(program)
            .arg("--help")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains(example), "{text}");
    }
}
