//! Into Maildir folders, for systems without an MTA: write in `tmp/`, sync, rename into `new/`, sync that directory.
//!
//! The instant that counts is the rename; before it, a crash leaves a file in `tmp/` that nobody reads.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Message, Outcome, Reply};
use crate::address::{Address, ReversePath};
use crate::spool::{OfFile, give_to_owner};

/// Where folders are, by recipient.
#[derive(Debug, Clone)]
pub(super) struct Maildir {
    /// `%u` is the local part, `%d` the domain, `%%` a percent sign.
    pub(super) template: PathBuf,
    /// The host's name in file names.
    pub(super) host: String,
    /// Whose users have folders; `None`: everybody's.
    pub(super) own_domains: Option<Vec<String>>,
}

impl Maildir {
    /// Whether the address is one of a user here.
    pub(super) fn serves(&self, to: &Address) -> bool {
        match (&self.own_domains, to.domain()) {
            (Some(own), Some(domain)) => own
                .iter()
                .any(|name| domain.eq_ignore_ascii_case(name.as_bytes())),
            _ => true,
        }
    }

    /// Delivers to one recipient.
    pub(super) fn deliver(&self, sender: &ReversePath, to: &Address, message: &Message) -> Outcome {
        let Some(folder) = self.folder(to) else {
            return Outcome::Refused(Reply {
                status: "5.1.3".to_owned(),
                text: "the address cannot name a Maildir folder".to_owned(),
                remote: None,
            });
        };
        match write(&folder, &self.host, sender, to, message) {
            Ok(_) => Outcome::Delivered,
            Err(error) => Outcome::Deferred(Reply {
                status: "4.2.0".to_owned(),
                text: format!("cannot deliver into {}: {error}", folder.display()),
                remote: None,
            }),
        }
    }

    /// The recipient's folder; `None` where the address would lead somewhere else.
    fn folder(&self, to: &Address) -> Option<PathBuf> {
        let user = component(&unquoted(to.local_part()))?;
        let domain = component(to.domain().unwrap_or(b"localhost"))?;
        let mut path = Vec::new();
        let mut template = self.template.as_os_str().as_bytes().iter();
        while let Some(&byte) = template.next() {
            match (byte, byte == b'%') {
                (_, false) => path.push(byte),
                (_, true) => match template.next() {
                    Some(b'u') => path.extend_from_slice(&user),
                    Some(b'd') => path.extend_from_slice(&domain),
                    Some(&other) => path.push(other),
                    None => path.push(b'%'),
                },
            }
        }
        Some(PathBuf::from(OsString::from_vec(path)))
    }
}

/// One component of a path, in lower case: no slash, no leading dot, not too long.
fn component(name: &[u8]) -> Option<Vec<u8>> {
    let fits = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with(b".")
        && !name.iter().any(|b| *b == b'/' || b.is_ascii_control());
    fits.then(|| name.to_ascii_lowercase())
}

/// `"a b"` names the user `a b`.
fn unquoted(local: &[u8]) -> Vec<u8> {
    let Some(inner) = local
        .strip_prefix(b"\"")
        .and_then(|l| l.strip_suffix(b"\""))
    else {
        return local.to_vec();
    };
    let mut user = Vec::new();
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        user.push(if byte == b'\\' {
            *bytes.next().unwrap_or(&byte)
        } else {
            byte
        });
    }
    user
}

/// Writes one message; the path that it has in `new/`.
fn write(
    folder: &Path,
    host: &str,
    sender: &ReversePath,
    to: &Address,
    message: &Message,
) -> io::Result<PathBuf> {
    for part in ["tmp", "new", "cur"] {
        make_directory(&folder.join(part))?;
    }
    let name = unique_name(host);
    let draft = folder.join("tmp").join(&name);
    let place = folder.join("new").join(&name);
    let written =
        write_draft(&draft, sender, to, message).and_then(|()| std::fs::rename(&draft, &place));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&draft);
        return Err(error);
    }
    File::open(folder.join("new"))?.sync_all()?;
    Ok(place)
}

fn write_draft(
    draft: &Path,
    sender: &ReversePath,
    to: &Address,
    message: &Message,
) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o660)
        .open(draft)?;
    file.set_permissions(PermissionsExt::from_mode(0o660))?;
    let mut out = io::BufWriter::with_capacity(64 * 1024, file);
    out.write_all(&[b"Return-Path: <", sender.as_bytes(), b">\n"].concat())?;
    out.write_all(&[b"Delivered-To: ", to.as_bytes(), b"\n"].concat())?;
    io::copy(&mut message.reader(), &mut out)?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

/// Makes a mailbox's directory and its parents; each new one is on disk, by its parent, before anything is in it.
fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or_else(|| Path::new("/"));
    make_directory(parent)?;
    match DirBuilder::new().mode(0o770).create(path) {
        Ok(()) => {
            let directory = File::open(path)?;
            directory.set_permissions(PermissionsExt::from_mode(0o770))?;
            give_to_owner(&directory, parent);
            File::open(parent)?.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.of(path),
    }
}

/// The name that the Maildir convention asks for: time, microsecond, process, count, host.
fn unique_name(host: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "{}.M{}P{}Q{}.{}",
        now.as_secs(),
        now.subsec_micros(),
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed),
        host.replace(['/', ':'], "_")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text.as_bytes()).unwrap()
    }

    fn names(folder: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect()
    }

    #[test]
    fn a_message_lies_in_new_with_its_envelope() {
        let home = tempfile::tempdir().unwrap();
        let maildir = Maildir {
            template: home.path().join("%d/%u"),
            host: "leaf".to_owned(),
            own_domains: None,
        };
        let message = Message::from_bytes(b"Subject: x\r\n\n.\nFrom here\n\xff".to_vec());
        for sender in [
            ReversePath::Null,
            ReversePath::Address(address("bob@far.example")),
        ] {
            let outcome = maildir.deliver(&sender, &address("Alice@Leaf.lab"), &message);
            assert_eq!(outcome, Outcome::Delivered);
        }
        let folder = home.path().join("leaf.lab/alice");
        let mut texts: Vec<Vec<u8>> = names(&folder.join("new"))
            .iter()
            .map(|path| std::fs::read(path).unwrap())
            .collect();
        texts.sort();
        let body = b"Delivered-To: Alice@Leaf.lab\nSubject: x\r\n\n.\nFrom here\n\xff";
        assert_eq!(texts[0], [b"Return-Path: <>\n", &body[..]].concat());
        assert_eq!(
            texts[1],
            [b"Return-Path: <bob@far.example>\n", &body[..]].concat()
        );
        assert!(names(&folder.join("tmp")).is_empty());
    }

    #[test]
    fn no_address_leads_out_of_the_template() {
        let maildir = Maildir {
            template: PathBuf::from("/m/%u%%"),
            host: "leaf".to_owned(),
            own_domains: None,
        };
        for bad in [
            "../x@d",
            "a/b@d",
            ".hidden@d",
            "\"\\../x\"@d",
            "\"\"@d",
            "a@..",
            "a@b/c",
        ] {
            assert_eq!(maildir.folder(&address(bad)), None, "{bad}");
        }
        assert_eq!(
            maildir.folder(&address("\"A \\\"b\"@d")),
            Some(PathBuf::from("/m/a \"b%"))
        );
        assert_eq!(
            maildir.folder(&address("-x@d")),
            Some(PathBuf::from("/m/-x%"))
        );
    }

    #[test]
    fn what_cannot_be_written_is_for_now_and_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let maildir = Maildir {
            template: home.path().join("%u"),
            host: "leaf".to_owned(),
            own_domains: None,
        };
        let to = address("alice@leaf.lab");
        // `new` is no directory: the rename at the last step fails, whoever runs this.
        std::fs::create_dir_all(home.path().join("alice/tmp")).unwrap();
        std::fs::write(home.path().join("alice/new"), "").unwrap();
        let outcome = maildir.deliver(&ReversePath::Null, &to, &Message::from_bytes(vec![]));
        assert!(matches!(outcome, Outcome::Deferred(_)), "{outcome:?}");
        assert!(names(&home.path().join("alice/tmp")).is_empty());
    }
}
