//! `--collect`: batches in files, among appenders that keep Exim's locks, and kills.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use suite_tests::alone::{Outcome, wait};

use super::common::{HEADER, Site, exim};

mod full_disk;
mod odd;

fn drop_box(site: &Site) -> PathBuf {
    let directory = site.root.join("bsmtp");
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn start(site: &Site, more: &[&str]) -> Child {
    let directory = format!("--collect={}", drop_box(site).display());
    let arguments: Vec<&str> = std::iter::once(&*directory)
        .chain(more.iter().copied())
        .collect();
    let mut command = site.command("exec \"$@\" 2>&1", &arguments);
    command.stdin(Stdio::null()).spawn().unwrap()
}

fn collect(site: &Site, more: &[&str]) -> Outcome {
    wait(start(site, more))
}

fn put(site: &Site, name: &str, content: &[u8]) -> PathBuf {
    let path = drop_box(site).join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

fn names(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(drop_box(site)).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn mail(number: usize) -> (String, Vec<u8>) {
    let content = format!("{HEADER}X-Number: {number}\n\n.dot\nhello {number}\n");
    let batch = exim("bob@leaf.lab", &["alice@hub.lab"], &content);
    (content, batch)
}

/// Mail for this system's own MTA.
fn local_mail(site: &Site) -> Vec<String> {
    site.files()
        .iter()
        .filter(|(name, _)| name.starts_with(".Bangpath/local-mail/"))
        .map(|(_, content)| String::from_utf8_lossy(content).into_owned())
        .collect()
}

#[test]
fn each_file_goes_into_the_outbox_of_its_system() {
    let site = Site::new();
    let null = exim(
        "",
        &["\"a b\"@hub.lab", "c@hub.lab"],
        "Subject: report\n\nhello\n",
    );
    put(&site, "hub", &[mail(1).1, null, mail(2).1].concat());
    put(&site, "other", &mail(3).1);
    put(&site, "hub.lock.host.1", b"");
    let outcome = collect(&site, &[]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(
        outcome.said,
        "exim-bsmtp: collected messages: 3 for hub, 1 for other\n"
    );
    let queued = site.outbox("hub");
    let contents: Vec<&[u8]> = queued.iter().map(|one| &*one.content).collect();
    assert_eq!(
        contents,
        [
            mail(1).0.as_bytes(),
            b"Subject: report\n\nhello\n",
            mail(2).0.as_bytes()
        ]
    );
    assert_eq!(queued[0].sender, "bob@leaf.lab");
    assert_eq!(queued[1].sender, "<>");
    assert_eq!(queued[1].recipients, ["\"a b\"@hub.lab", "c@hub.lab"]);
    assert_eq!(site.outbox("other").len(), 1);
    assert_eq!(names(&site), ["hub.lock.host.1"]);
    // Nothing more to do, and nothing to say.
    let outcome = collect(&site, &[]);
    assert_eq!((outcome.status, &*outcome.said), (Some(0), ""));
    let log = fs::read_to_string(site.root.join("Log")).unwrap();
    assert_eq!(log.matches("Queuing message").count(), 4, "{log}");
}

#[test]
fn directories_with_a_file_for_a_message() {
    let site = Site::new();
    put(&site, "hub/1xULd9-000064-31", &mail(1).1);
    put(&site, "hub/1xULd9-000064-32", &mail(2).1);
    put(&site, "other/new/1.2.host", &mail(3).1);
    put(&site, "other/tmp/1.3.host", &mail(4).1);
    let outcome = collect(&site, &["--quiet"]);
    assert_eq!((outcome.status, &*outcome.said), (Some(0), ""));
    assert_eq!(site.outbox("hub").len(), 2);
    assert_eq!(site.outbox("other").len(), 1);
    assert_eq!(names(&site), ["hub", "other"]);
    assert_eq!(
        fs::read_dir(drop_box(&site).join("hub")).unwrap().count(),
        0
    );
}

#[test]
fn recipients_that_cannot_be_carried_are_reported_to_the_sender() {
    let site = Site::new();
    let batch = exim(
        "bob@leaf.lab",
        &["alice@hub.lab", "\"no@x"],
        "Subject: x\n\nhello\n",
    );
    put(&site, "hub", &batch);
    let outcome = collect(&site, &[]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(site.recipients(), ["alice@hub.lab"]);
    let reports = site.reports();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].contains("\"no@x"), "{reports:?}");
    // Nobody can be told of this.
    let batch = exim("", &["\"no@x"], "Subject: x\n\nhello\n");
    put(&site, "hub", &batch);
    let outcome = collect(&site, &[]);
    assert_eq!(outcome.status, Some(65), "{outcome:?}");
    assert_eq!(site.outbox("hub").len(), 1);
    let kept = names(&site);
    assert!(kept[0].starts_with("hub.unread."), "{kept:?}");
    let kept = fs::read(drop_box(&site).join(&kept[0])).unwrap();
    assert_eq!(kept, [&batch[..], b"\n"].concat());
}

#[test]
fn messages_over_the_limit_are_returned() {
    let site = Site::new();
    site.mail_toml("[sending]\nsize-limit = 300\n");
    let large = exim("bob@leaf.lab", &["alice@hub.lab"], &"hello\n".repeat(100));
    put(&site, "hub", &[mail(1).1, large].concat());
    let outcome = collect(&site, &[]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(site.outbox("hub").len(), 1);
    assert_eq!(site.reports().len(), 1);
}

#[test]
fn a_batch_that_was_moved_aside_is_finished_first() {
    let site = Site::new();
    let aside = put(&site, "hub.batch.67400000-1-0", &mail(1).1);
    put(&site, "hub", &mail(2).1);
    assert_eq!(collect(&site, &["--quiet"]).status, Some(0));
    let numbers: Vec<bool> = site
        .outbox("hub")
        .iter()
        .map(|one| one.content == mail(1).0.as_bytes())
        .collect();
    assert_eq!(numbers, [true, false]);
    assert_eq!(names(&site), Vec::<String>::new());
    // A power failure may bring its name back: its messages do not come back with it.
    fs::write(aside, mail(1).1).unwrap();
    assert_eq!(collect(&site, &["--quiet"]).status, Some(0));
    assert_eq!(site.outbox("hub").len(), 2);
    assert_eq!(names(&site), Vec::<String>::new());
}

#[test]
fn a_file_that_is_locked_waits() {
    let site = Site::new();
    let path = put(&site, "hub", &mail(1).1);
    let file = File::options().write(true).open(&path).unwrap();
    assert!(lock(&file));
    let outcome = collect(&site, &[]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.said.contains("hub is in use"), "{outcome:?}");
    assert!(path.exists());
    assert!(!names(&site).contains(&"hub.lock".to_owned()));
    drop(file);
    assert_eq!(collect(&site, &["--quiet"]).status, Some(0));
    assert_eq!(site.outbox("hub").len(), 1);
}

/// A traditional write lock on the whole file, as MTAs take it.
fn lock(file: &File) -> bool {
    let whole = nix::libc::flock {
        l_type: nix::libc::F_WRLCK.try_into().unwrap(),
        l_whence: nix::libc::SEEK_SET.try_into().unwrap(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_SETLK(&whole)).is_ok()
}

/// Appends as Exim's appendfile transport does: hitching post, link, the same file by name and descriptor, write lock,
/// several writes, sync. Tells whether it could; Exim comes again if not.
fn append(path: &Path, who: usize, pieces: &[&[u8]]) -> bool {
    let post = path.with_extension(format!("lock.host.{who}"));
    let lock_file = path.with_extension("lock");
    File::options()
        .write(true)
        .create_new(true)
        .open(&post)
        .unwrap();
    let linked = fs::hard_link(&post, &lock_file);
    fs::remove_file(&post).unwrap();
    if linked.is_err() {
        return false;
    }
    let before = fs::symlink_metadata(path).ok();
    let mut options = File::options();
    options.read(true).append(true).mode(0o600);
    let file = match before {
        Some(_) => options.open(path),
        None => options.create_new(true).open(path),
    };
    let written = file.is_ok_and(|mut file| {
        let same = before
            .as_ref()
            .is_none_or(|before| before.ino() == file.metadata().unwrap().ino());
        if !same || !lock(&file) {
            return false;
        }
        if before.is_none() {
            // By name, as Exim does it: were the file moved now, the mail would be returned.
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(path, mode).unwrap();
        }
        for piece in pieces {
            file.write_all(piece).unwrap();
        }
        file.sync_all().unwrap();
        true
    });
    fs::remove_file(&lock_file).unwrap();
    written
}

/// Appends messages with these numbers, each until it is accepted, in pieces.
fn append_all(path: &Path, who: usize, numbers: impl Iterator<Item = usize>) {
    for number in numbers {
        let (_, batch) = mail(number);
        let (envelope, content) = batch.split_at(20);
        while !append(path, who, &[envelope, &content[..50], &content[50..]]) {
            std::thread::yield_now();
        }
    }
}

/// Every message with these numbers waits for hub, once and whole.
fn assert_all_queued(site: &Site, count: usize) {
    let queued = site.outbox("hub");
    assert_eq!(queued.len(), count);
    let there: BTreeSet<Vec<u8>> = queued.into_iter().map(|one| one.content).collect();
    let expected = (0..count).map(|number| mail(number).0.into_bytes());
    assert!(there == expected.collect(), "not the same messages");
}

/// Three append in a tight loop, two collect in a tight loop.
#[test]
fn appenders_and_collectors_side_by_side_lose_nothing() {
    const EACH: usize = 100;
    let site = Site::new();
    let path = drop_box(&site).join("hub");
    let writing = AtomicUsize::new(3);
    std::thread::scope(|scope| {
        for who in 0..3 {
            let (path, writing) = (&path, &writing);
            scope.spawn(move || {
                append_all(path, who, who * EACH..(who + 1) * EACH);
                writing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let last = writing.load(Ordering::SeqCst) == 0;
                    let outcome = collect(&site, &["--quiet"]);
                    assert_eq!((outcome.status, &*outcome.said), (Some(0), ""));
                    if last {
                        break;
                    }
                }
            });
        }
    });
    assert_all_queued(&site, 3 * EACH);
    assert_eq!(names(&site), Vec::<String>::new());
}

/// Collectors are killed at any moment, while mail is appended.
#[test]
fn killed_collectors_lose_nothing() {
    const ROUNDS: usize = 30;
    const EACH: usize = 10;
    let site = Site::new();
    let path = drop_box(&site).join("hub");
    for round in 0..ROUNDS {
        let mut child = start(&site, &["--quiet"]);
        // Any of these moments may be the one that matters; none has to be.
        std::thread::sleep(Duration::from_micros(700 * round as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        // A lock that it had is no longer one, but only its like can know.
        if path.with_extension("lock").exists() {
            fs::remove_file(path.with_extension("lock")).unwrap();
        }
        append_all(&path, 0, round * EACH..(round + 1) * EACH);
    }
    assert_eq!(collect(&site, &["--quiet"]).status, Some(0));
    assert_all_queued(&site, ROUNDS * EACH);
    // A hitching post that was just made says nothing, and stays for half an hour.
    let mut rest = names(&site);
    rest.retain(|name| !name.starts_with("hub.lock."));
    assert_eq!(rest, Vec::<String>::new());
    assert_eq!(collect(&site, &["--quiet"]).status, Some(0));
}
