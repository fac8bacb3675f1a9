//! One configured system in a temporary directory, and what its spool holds with the unique parts of names numbered.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

/// A configured system called alpha, with a working directory.
pub(crate) struct Site {
    pub(crate) root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for directory in ["etc", "spool", "pub", "lock", "cwd", "cwd/sub"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        let r = root.display();
        let config = format!(
            "nodename alpha\nspool {r}/spool\npubdir {r}/pub\nlockdir {r}/lock\nlogfile {r}/Log\nstatfile {r}/Stats\n\
             debugfile {r}/Debug\nsysfile {r}/etc/sys\nportfile {r}/etc/port\n"
        );
        fs::write(root.join("etc/config"), config).unwrap();
        let sys = "time any\nsystem beta\nalias b2\nsystem gamma\nsystem strict\nlocal-send ~\n";
        fs::write(root.join("etc/sys"), sys).unwrap();
        fs::write(root.join("cwd/f1"), "one\n").unwrap();
        fs::write(root.join("cwd/f2"), "two\n").unwrap();
        fs::write(root.join("cwd/sub/f1"), "other\n").unwrap();
        Self {
            root,
            _folder: folder,
        }
    }

    pub(crate) fn uux(&self, arguments: &[&str]) -> Output {
        self.run(Path::new(env!("CARGO_BIN_EXE_uux")), arguments)
    }

    /// A `uux` that waits for what it is given.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.spawn(Path::new(env!("CARGO_BIN_EXE_uux")), arguments)
    }

    fn spawn(&self, program: &Path, arguments: &[&str]) -> Child {
        let mut command = Command::new(program);
        command
            .arg("-I")
            .arg(self.root.join("etc/config"))
            .args(arguments)
            .current_dir(self.root.join("cwd"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        loop {
            match command.spawn() {
                // A copy just made is open for writing in a process that another test is starting.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::yield_now(),
                other => return other.unwrap(),
            }
        }
    }

    pub(crate) fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let mut child = self.spawn(program, arguments);
        // It may be refused before it is read.
        let _ = child.stdin.take().unwrap().write_all(b"hello\n");
        child.wait_with_output().unwrap()
    }

    pub(crate) fn fill_in(&self, text: &str) -> String {
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::current());
        let user = user.unwrap().unwrap().name;
        let root = self.root.display();
        text.replace("$CWD", &format!("{root}/cwd"))
            .replace("$PUB", &format!("{root}/pub"))
            .replace(" uucp -", &format!(" {user} -"))
            .replace("U uucp ", &format!("U {user} "))
            .replace(&format!("C {user} -C"), "C uucp -C")
    }

    /// Every regular file of the spool that belongs to a job; `SEQF`, dot-folders and empty directories are no jobs.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let spool = self.root.join("spool");
        collect(&spool, &spool, &mut files);
        files.retain(|name, _| !name.starts_with('.') && !name.ends_with("/SEQF"));
        files
    }

    /// The only job of a system: its work file, and its data files by name.
    pub(crate) fn job(&self, system: &str) -> (String, BTreeMap<String, String>) {
        let mut work = Vec::new();
        let mut data = BTreeMap::new();
        for (name, content) in self.files() {
            let content = String::from_utf8(content).unwrap();
            let base = name.rsplit('/').next().unwrap_or_default().to_owned();
            assert!(name.starts_with(&format!("{system}/")), "{name}");
            if base.starts_with("C.") {
                work.push(content);
            } else {
                data.insert(base, content);
            }
        }
        assert_eq!(work.len(), 1, "{work:?}");
        normalize(&work.remove(0), data)
    }
}

fn collect(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// Numbers the unique parts of spool names in the order of their appearance: in the work file, then in the data files in
/// the order in which the work file names them.
pub(crate) fn normalize(
    work: &str,
    files: BTreeMap<String, String>,
) -> (String, BTreeMap<String, String>) {
    let mut numbers = Numbers::default();
    let work = numbers.replace(work);
    let mut named: Vec<(String, String)> = files
        .into_iter()
        .map(|(name, content)| (numbers.replace(&name), content))
        .collect();
    named.sort();
    let files = named
        .into_iter()
        .map(|(name, content)| (name, numbers.replace(&content)))
        .collect();
    (work, files)
}

#[derive(Default)]
struct Numbers {
    known: BTreeMap<String, String>,
    counts: BTreeMap<String, usize>,
}

impl Numbers {
    fn replace(&mut self, text: &str) -> String {
        let is_end = |c: char| c.is_whitespace() || c == '!';
        text.split_inclusive(is_end)
            .map(|piece| {
                let word = piece.trim_end_matches(is_end);
                let end = piece.get(word.len()..).unwrap_or_default();
                match prefix(word) {
                    Some(prefix) => format!("{}{end}", self.number(word, prefix)),
                    None => piece.to_owned(),
                }
            })
            .collect()
    }

    fn number(&mut self, word: &str, prefix: &str) -> String {
        if let Some(known) = self.known.get(word) {
            return known.clone();
        }
        let count = self.counts.entry(prefix.to_owned()).or_default();
        *count += 1;
        let numbered = format!("{prefix}#{count}");
        self.known.insert(word.to_owned(), numbered.clone());
        numbered
    }
}

/// The part of a spool name that is not unique.
fn prefix(word: &str) -> Option<&str> {
    for system in ["D.alpha", "X.alpha"] {
        if word.starts_with(system) {
            return word.get(..=system.len());
        }
    }
    ["D.X", "D."]
        .into_iter()
        .find(|prefix| word.starts_with(prefix))
}
