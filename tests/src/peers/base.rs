//! The tree that every host stands on: a small Debian with users, and Taylor's uucp.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::apt::{Apt, must};

/// The packages asked for by name; the rest follows from what they depend on.
pub(super) const WANTED: &[&str] = &[
    "uucp",
    "strace",
    "dash",
    "bash",
    "busybox",
    "coreutils",
    "sed",
    "grep",
    "mawk",
    "findutils",
    "diffutils",
    "hostname",
    "util-linux",
    "mount",
    "libc-bin",
    "base-passwd",
    "base-files",
    "netbase",
];

/// Users with a group of the same name that maintainer scripts would have made, with numbers of our own.
const USERS: &[(&str, u32)] = &[
    ("postfix", 101),
    ("Debian-exim", 103),
    ("smmta", 104),
    ("smmsp", 105),
    ("opensmtpd", 106),
    ("opensmtpq", 107),
    ("nncp", 108),
    ("alice", 1001),
    ("vmail", 1002),
];

/// Makes the tree, and names the packages in it.
pub(super) fn make(apt: &Apt, root: &Path) -> Result<Vec<String>, String> {
    // An MTA is not for everybody: each is a layer of its own.
    let packages = apt.fetch(WANTED, &["exim4", "postfix"])?;
    make_merged(root)?;
    for package in &packages {
        apt.unpack(package, root)?;
    }
    users(root)?;
    std::os::unix::fs::symlink("mawk", root.join("usr/bin/awk"))
        .map_err(|error| error.to_string())?;
    must(
        Command::new("chroot").arg(root).arg("/usr/sbin/ldconfig"),
        "ldconfig",
    )?;
    Ok(packages)
}

/// An empty tree in which `/bin` is `/usr/bin`, as Debian has it.
pub(super) fn make_merged(root: &Path) -> Result<(), String> {
    for part in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(root.join("usr").join(part)).map_err(|error| error.to_string())?;
        std::os::unix::fs::symlink(format!("usr/{part}"), root.join(part))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn users(root: &Path) -> Result<(), String> {
    let master = root.join("usr/share/base-passwd");
    let read = |name: &str| {
        fs::read_to_string(master.join(name)).map_err(|error| format!("{name}: {error}"))
    };
    let (mut passwd, mut group) = (read("passwd.master")?, read("group.master")?);
    for (name, id) in USERS {
        let home = match *name {
            "opensmtpd" | "opensmtpq" => "/var/lib/opensmtpd/empty".to_owned(),
            _ => format!("/home/{name}"),
        };
        let _ = writeln!(passwd, "{name}:*:{id}:{id}::{home}:/bin/sh");
        let _ = writeln!(group, "{name}:x:{id}:");
    }
    group += "postdrop:x:102:\n";
    let write = |name: &str, text: &str| {
        fs::write(root.join("etc").join(name), text).map_err(|error| format!("{name}: {error}"))
    };
    write("passwd", &passwd)?;
    write("group", &group)?;
    write(
        "nsswitch.conf",
        "hosts: files\npasswd: files\ngroup: files\n",
    )?;
    write("hosts", "127.0.0.1 localhost\n")?;
    write("resolv.conf", "")?;
    for place in [
        "tmp",
        "run",
        "proc",
        "sys",
        "dev",
        "root",
        "var/mail",
        "var/log",
        "var/tmp",
        "opt/bangpath",
    ] {
        fs::create_dir_all(root.join(place)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// One folder with Taylor's programs, without their setuid bits: the tests run them as uucp, and trace them.
pub(super) fn gather_taylor(folder: &Path, root: &Path) -> Result<(), String> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let places = [
        ("usr/lib/uucp", ["uucico", "uuchk"].as_slice()),
        ("usr/sbin", &["uuxqt"]),
        ("usr/bin", &["uux", "uucp", "uustat", "uuname", "uulog"]),
    ];
    for (place, names) in places {
        for name in names {
            let to = folder.join(name);
            let program = fs::read(root.join(place).join(name))
                .map_err(|error| format!("{place}/{name}: {error}"))?;
            crate::write_program(&to, program);
        }
    }
    Ok(())
}
