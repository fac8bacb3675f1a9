//! A node whose programs are installed as on a whole machine: its configuration is in `/etc/uucp`, and who queues is setuid and setgid
//! to the owner of the spool, so that every user can.

use std::cell::RefCell;
use std::fs::Permissions;
use std::io::Read as _;

use suite_tests::skip;

use super::*;

/// Somebody of whom the spool's owner knows nothing.
pub(super) const ANN: [&str; 3] = ["4712", "4712", "4712"];
/// One more.
pub(super) const BOB: [&str; 3] = ["4713", "4713", "4713"];
/// And one who is in no passwd file.
pub(super) const UNNAMED: [&str; 3] = ["4799", "4799", "4799"];

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
    uucp:x:10:10:uucp:/var/spool/uucp:/bin/sh\n\
    nobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n\
    ann:x:4712:4712:Ann:/home/ann:/bin/sh\n\
    bob:x:4713:4713:Bob:/home/bob:/bin/sh\n";
const GROUP: &str = "root:x:0:\nuucp:x:10:\nnogroup:x:65534:\nann:x:4712:\nbob:x:4713:\n";

/// In a mount namespace of its own, with another `/etc`.
const WITHIN: &str = "mount --make-rprivate / && mount --bind \"$1\" /etc && shift && exec \"$@\"";

pub(super) struct Installed {
    pub(super) node: Node,
    folder: PathBuf,
    /// Names that were used for copies.
    made: RefCell<usize>,
}

impl Installed {
    /// Nothing, where the test cannot run.
    pub(super) fn or_skip(site: &Site, test: &str) -> Option<Self> {
        if !is_root_or_skip(test) {
            return None;
        }
        let node = telling_node(site, "leaf");
        node.add_neighbour("hub", "", &Reach::Never, "");
        fs::set_permissions(node.spool(), Permissions::from_mode(0o2770)).unwrap();
        for part in ["config", "sys", "passwd", "call"] {
            let path = node.path("etc").join(part);
            fs::set_permissions(path, Permissions::from_mode(0o640)).unwrap();
        }
        let installed = Self {
            node,
            folder: site.path().to_owned(),
            made: RefCell::new(0),
        };
        let etc = installed.path("etc");
        fs::create_dir(&etc).unwrap();
        fs::write(etc.join("passwd"), PASSWD).unwrap();
        fs::write(etc.join("group"), GROUP).unwrap();
        fs::copy("/etc/ld.so.cache", etc.join("ld.so.cache")).unwrap();
        std::os::unix::fs::symlink(installed.node.path("etc"), etc.join("uucp")).unwrap();
        for (name, ids) in [("ann", ANN), ("bob", BOB), ("unnamed", UNNAMED)] {
            let home = installed.path(name);
            fs::create_dir(&home).unwrap();
            let id = ids[0].parse().ok();
            chown(&home, id, id).unwrap();
        }
        let bin = installed.path("bin");
        fs::create_dir(&bin).unwrap();
        for name in ["uux", "uucp", "uuto", "uupick"] {
            installed.install(name, 10, 10, 0o6755, &bin.join(name));
        }
        let probe = installed.path("id");
        copy_program(Path::new("/usr/bin/id"), &probe);
        set(&probe, 10, 10, 0o6755);
        let ids = installed.run(ANN, &probe, &[]);
        if !ids.output.contains("euid=10(") {
            skip(test, "setuid has no effect here");
            return None;
        }
        Some(installed)
    }

    pub(super) fn path(&self, part: &str) -> PathBuf {
        self.folder.join(part)
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.path("bin").join(name)
    }

    /// Copies a program, with this owner, group and mode.
    pub(super) fn install(&self, name: &str, user: u32, group: u32, mode: u32, to: &Path) {
        copy_program(&self.node.side().program(name), to);
        set(to, user, group, mode);
    }

    /// A copy of a program under a name of its own, in a folder of its own.
    pub(super) fn copy(&self, name: &str, user: u32, group: u32, mode: u32) -> PathBuf {
        let count = self.made.replace_with(|count| *count + 1);
        let folder = self.path(&format!("copy{count}"));
        fs::create_dir(&folder).unwrap();
        let path = folder.join(name);
        self.install(name, user, group, mode, &path);
        path
    }

    /// A program, run by this user in a shell's place.
    pub(super) fn command(&self, ids: [&str; 3], program: &Path, words: &[&str]) -> Command {
        let inner = command_by(ids, program);
        let mut command = process::command_as(Owner::Myself, Path::new("/usr/bin/unshare"));
        command
            .args(["--mount", "sh", "-c", WITHIN, "sh"])
            .arg(self.path("etc"))
            .arg(inner.get_program())
            .args(inner.get_args())
            .args(words)
            .env("LOGNAME", "root")
            .env("USER", "root")
            .env("HOME", self.path("ann"));
        command
    }

    pub(super) fn run(&self, ids: [&str; 3], program: &Path, words: &[&str]) -> Finished {
        process::run(self.command(ids, program, words), &self.folder)
    }

    /// An installed program, run by Ann.
    pub(super) fn by_ann(&self, name: &str, words: &[&str]) -> Finished {
        self.run(ANN, &self.program(name), words)
    }

    /// A file of Ann's, with this mode.
    pub(super) fn anns_file(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.path("ann").join(name);
        fs::write(&path, text).unwrap();
        set(&path, 4712, 4712, mode);
        path.display().to_string()
    }

    /// The texts of the work files for hub, in order of their names.
    pub(super) fn jobs(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.node.spool().join("hub/C.")) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| process::lossy(path)).collect()
    }

    /// How many files below the spool hold this text.
    pub(super) fn holding(&self, text: &str) -> usize {
        let count = std::cell::Cell::new(0);
        every(
            vec![self.node.spool(), self.node.public()],
            |path, found| {
                if found.is_file() && process::lossy(path).contains(text) {
                    count.set(count.get() + 1);
                }
            },
        );
        count.get()
    }

    /// Everything in spool and log is the owner's.
    #[track_caller]
    pub(super) fn all_is_the_owners(&self) {
        let parts = ["spool", "log"].map(|part| self.node.path(part));
        every(parts.into(), |path, found| {
            let shown = path.display();
            assert_eq!((found.uid(), found.gid()), (10, 10), "{shown}");
        });
    }

    /// Programs beside the installed ones that tell by a line that they were started.
    pub(super) fn tell_instead(&self, programs: &[&str]) -> PathBuf {
        let told = self.node.path("stored/told");
        for name in programs {
            let script = format!("#!/bin/sh\necho {name} >>{}\n", told.display());
            write_program(&self.program(name), script);
        }
        told
    }
}

fn copy_program(from: &Path, to: &Path) {
    write_program(to, fs::read(from).unwrap());
}

pub(super) fn set(path: &Path, user: u32, group: u32, mode: u32) {
    chown(path, Some(user), Some(group)).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// What a pipe to a program's standard input is held open by.
pub(super) fn held_input(command: &mut Command) -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdin(reader);
    writer
}

/// As much as a file has.
pub(super) fn read(path: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    let mut file = fs::File::open(path).unwrap();
    file.read_to_end(&mut content).unwrap();
    content
}
