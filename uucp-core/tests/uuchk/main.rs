//! `uuchk` as a program: what it shows, what it finds wrong, how it ends.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

mod convert;
mod faults;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A configuration in a folder.
struct Site {
    folder: tempfile::TempDir,
}

/// Something that can be run.
fn make_program(path: &Path) {
    fs::write(path, "").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What a run printed, and how it ended.
#[derive(Debug)]
struct Ran {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Site {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder };
        site.write("config", &faults::config(""));
        site.make_spool();
        for (name, text) in files {
            site.write(name, text);
        }
        site
    }

    /// As an installed one is: not root's.
    fn make_spool(&self) {
        let spool = self.path("spool");
        fs::create_dir(&spool).unwrap();
        self.make("pub", 0o1777);
        self.make("bin", 0o755);
        make_program(&self.path("bin/rmail"));
        if spool.metadata().unwrap().uid() == 0 {
            chown(&spool, Some(65534), Some(65534)).unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn make(&self, name: &str, mode: u32) {
        fs::create_dir(self.path(name)).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// `FOLDER` is the folder.
    fn write(&self, name: &str, text: &str) {
        let folder = self.folder.path().display().to_string();
        fs::write(self.path(name), text.replace("FOLDER", &folder)).unwrap();
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(self.path(name), mode).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_by(&mut Command::new(env!("CARGO_BIN_EXE_uuchk")), arguments)
    }

    /// Of somebody whose all of it is, and who is not root.
    fn run_at_home(&self) -> Ran {
        let uuchk = self.path("uuchk");
        fs::copy(env!("CARGO_BIN_EXE_uuchk"), &uuchk).unwrap();
        let mut command = Command::new(&uuchk);
        if self.folder.path().metadata().unwrap().uid() == 0 {
            for entry in [self.folder.path(), &self.path("config")] {
                chown(entry, Some(4711), Some(4711)).unwrap();
            }
            command.uid(4711).gid(4711);
        }
        self.run_by(&mut command, &[])
    }

    fn run_by(&self, uuchk: &mut Command, arguments: &[&str]) -> Ran {
        let output = uuchk
            .arg("-I")
            .arg(self.path("config"))
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| {
            let folder = format!("{}/", self.folder.path().display());
            String::from_utf8(bytes).unwrap().replace(&folder, "")
        };
        // A kernel that cannot confine calls is noted, and nothing to be mended here.
        let err = text(output.stderr);
        let err = err
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("uuchk: note: calls are not confined"));
        Ran {
            status: output.status.code(),
            out: text(output.stdout),
            err: err.collect(),
        }
    }
}

const SYS: &str = "time never\ncommand-path FOLDER/bin\n\
    system hub\nalias nabe\ntime Any 5\ntimegrade C Wk0800-1700\nport tcp\naddress hub.example\ncall-login me\n\
    call-password secret\ncalled-login Uhub\ncalled-local-size 5000 Mo\ncommands rmail\nforward leaf\n\
    system leaf\ncalled-login Uleaf\n";

#[test]
fn a_system_is_shown_with_everything_that_holds_for_it() {
    let site = Site::new(&[("sys", SYS), ("port", "port tcp\ntype tcp\nservice 540\n")]);
    let all = site.run(&[]);
    assert_eq!((all.status, all.err.as_str()), (Some(0), ""));
    for line in [
        "sys file: sys",
        "Local node name alpha",
        "Start uuxqt once per uucico invocation",
        "System: hub (nabe)",
        " When called using login name Uhub",
        " Call out using port tcp",
        "   TCP service 540",
        " Remote address hub.example",
        " Chat script \"\" \\r\\c ogin:-BREAK-ogin:-BREAK-ogin: \\L word: \\P",
        " Login name me",
        " Password ****",
        " Mon from 08:00 to 17:00 may call if work grade C or higher",
        " From Fri 17:00 to Sun 00:00 may call if any work (retry 5)",
        " May retry the call up to 26 times",
        "  From Mon 00:00 to Tue 00:00 may transfer files 5000 bytes or smaller",
        " May execute rmail",
        " May forward to leaf",
        "System: leaf",
        " Calls will never be placed to this system",
    ] {
        assert!(
            all.out.lines().any(|one| one == line),
            "no '{line}' in\n{}",
            all.out
        );
    }
    // One system alone, by its alias.
    let one = site.run(&["-s", "nabe"]);
    assert!(one.out.starts_with("System: hub (nabe)\n"), "{}", one.out);
    assert!(!one.out.contains("leaf\n When"), "{}", one.out);
    let nobody = site.run(&["--system", "nobody"]);
    assert_eq!(nobody.status, Some(1));
    assert_eq!(nobody.err, "uuchk: nobody: system not found\n");
}

#[test]
fn everything_that_is_wrong_is_named_with_file_line_and_caret() {
    let site = Site::new(&[
        (
            "config",
            "nodename alpha\nmax-uuxqts many\nrun-uuxqt sometimes\n",
        ),
        (
            "sys",
            "calback yes\nsystem hub\ncallback perhaps\ncall-password two words\ntime Foo\nsystem leaf\n",
        ),
        ("port", "port a\ntype tcp\nspeed 5\nport b c\ntype wire\n"),
        ("dial", "dialer d\ncarier y\n"),
        ("dialcode", "HH 040 2\n"),
        ("call", "hub\n"),
        ("passwd", "Uhub one two\n"),
        ("mail.toml", "[nonsense]\n"),
    ]);
    let all = site.run(&[]);
    assert_eq!(all.status, Some(1));
    for wrong in [
        "config: line 2, column 12: 'many' is not a number",
        "config: line 3, column 11: 'sometimes' does not say",
        "sys: line 1, column 1: 'calback' is not a command of a sys file\n    calback yes\n    ^^^^^^^\n  did you mean 'callback'?",
        "sys: line 3, column 10: 'perhaps' is neither true nor false\n    callback perhaps\n             ^^^^^^^",
        "sys: line 4, column 19",
        "sys: line 5, column 6: 'Foo' is neither a day",
        "port: line 3, column 1: 'speed' is not a command of ports of type tcp",
        "port: line 4, column 8: 'port' takes one word after it, not 2",
        "port: line 5, column 6: 'wire' is not a type",
        "dial: line 2, column 1: 'carier'",
        "dialcode: line 1, column",
        "call: line 1, column 1: a line is: system",
        "passwd: line 1, column 1: a line is: login name",
        "mail.toml",
    ] {
        assert!(all.err.contains(wrong), "no '{wrong}' in\n{}", all.err);
    }
    // The defaults hold for both systems, and are told once; passwords are not shown.
    assert_eq!(all.err.matches("'calback'").count(), 1);
    assert!(!all.err.contains("two words") && !all.err.contains("one two"));
    // What can be understood is shown all the same.
    assert!(all.out.contains("System: hub\n") && all.out.contains("System: leaf\n"));
    let missing = site.run(&["-I", "/no/such/config"]);
    assert_eq!(missing.status, Some(1));
}

#[test]
fn the_same_facts_come_as_json() {
    let site = Site::new(&[("sys", SYS), ("port", "port tcp\ntype tcp\n")]);
    let ran = site.run(&["--json"]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["config"]["nodename"], "alpha");
    let hub = &report["systems"][0];
    assert_eq!(
        (&hub["name"], &hub["aliases"][0]),
        (&"hub".into(), &"nabe".into())
    );
    let first = &hub["alternates"][0];
    assert_eq!(first["calls"], true);
    assert_eq!(first["ports"][0]["type"], "tcp");
    assert_eq!(first["time"][1]["from"], "Mon 08:00");
    assert_eq!(first["time"][1]["grade"], "C");
    assert_eq!(first["time"][0]["retry"], 5);
    assert_eq!(first["called-local-size"][0]["bytes"], 5000);
    assert_eq!(first["forward-to"][0], "leaf");
    assert_eq!(report["systems"][1]["alternates"][0]["calls"], false);
    assert!(!ran.out.contains("secret"));
    // Faults are in it, too.
    site.write("dial", "dialer d\nfoo\n");
    let ran = site.run(&["--json"]);
    assert_eq!(ran.status, Some(1));
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["faults"].as_array().unwrap().len(), 1);
    let one = site.run(&["--json", "-s", "leaf"]);
    let report: serde_json::Value = serde_json::from_str(&one.out).unwrap();
    assert!(report.get("config").is_none());
    assert_eq!(report["systems"].as_array().unwrap().len(), 1);
}
