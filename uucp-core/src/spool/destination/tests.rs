//! Destinations: what is permitted is found, what leads out is not.

use std::os::unix::fs::symlink;

use super::*;
use crate::config::PathRules;
use crate::wire::command::RequestOptions;

struct Site {
    folder: tempfile::TempDir,
    rules: PathRules,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = Permissions::from_mode(0o777);
        for name in ["public", "public/deep", "outside", "public/shut"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::set_permissions(folder.path().join(name), open.clone()).unwrap();
        }
        fs::set_permissions(
            folder.path().join("public/shut"),
            Permissions::from_mode(0o755),
        )
        .unwrap();
        Self {
            folder,
            rules: PathRules::new(["~"]),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn find(
        &self,
        from: &str,
        to: &str,
        options: &[u8],
        user: Option<&str>,
    ) -> Result<PathBuf, Refused> {
        let pubdir = self.path("public");
        let options = RequestOptions::new(options);
        let incoming = Incoming {
            from: from.as_bytes(),
            to: to.as_bytes(),
            user: user.unwrap_or("uucp").as_bytes(),
            options: &options,
            temp: None,
            mode: 0o644,
            notify: &[],
            size: None,
            version: None,
            command: None,
            own_request: user.is_some(),
            rules: &self.rules,
            pubdir: &pubdir,
            free_space: 0,
            restart: true,
        };
        Destination::find(&incoming).map(|destination| destination.path())
    }

    fn finds(&self, to: &str, wanted: &str) {
        let found = self.find("/home/x/file", to, b"d", None).unwrap();
        assert_eq!(found, self.path(wanted), "{to}");
    }

    fn refuses(&self, to: &str) {
        let refused = self.find("/home/x/file", to, b"d", None).unwrap_err();
        assert_eq!(refused.0, Refusal::NotPermitted, "{to}: {}", refused.1);
    }
}

#[test]
fn names_mean_what_taylors_mean() {
    let site = Site::new();
    site.finds("~/a", "public/a");
    site.finds("a", "public/a");
    site.finds("~/", "public/file");
    site.finds("~", "public/file");
    site.finds("deep", "public/deep/file");
    site.finds("~/deep/", "public/deep/file");
    site.finds("~//deep//x", "public/deep/x");
    site.finds(&site.path("public/y").display().to_string(), "public/y");
    site.finds("~/new/newer/x", "public/new/newer/x");
    assert!(site.path("public/new/newer").is_dir());
    let refused = site.find("f", "~/none/x", b"f", None).unwrap_err();
    assert!(refused.1.contains("no such directory"), "{}", refused.1);
}

#[test]
fn nothing_leads_out_of_what_is_permitted() {
    let site = Site::new();
    symlink(site.path("outside"), site.path("public/link")).unwrap();
    symlink("../../outside", site.path("public/deep/up")).unwrap();
    symlink(site.path("nowhere"), site.path("public/dangling")).unwrap();
    symlink(site.path("public/deep"), site.path("public/inside")).unwrap();
    site.refuses("~/../outside/x");
    site.refuses("../outside/x");
    site.refuses(&site.path("outside/x").display().to_string());
    site.refuses("~/link/x");
    site.refuses("~/deep/up/x");
    site.refuses("/etc/passwd");
    site.refuses("~root/x");
    site.refuses("~nobody-of-this-name/x");
    site.refuses("");
    site.refuses("a\0b");
    assert!(site.find("f", "~/dangling/x", b"d", None).is_err());
    assert_eq!(fs::read_dir(site.path("outside")).unwrap().count(), 0);
    // A link that stays inside is no trouble, nor is a public directory behind one.
    site.finds("~/inside/x", "public/deep/x");
    // A final component that is a link is replaced, not followed.
    symlink(site.path("outside/x"), site.path("public/trap")).unwrap();
    site.finds("~/trap", "public/trap");
}

#[test]
fn names_that_are_no_files_names_are_refused() {
    let site = Site::new();
    for from in ["..", "/", "a/..", ".", ""] {
        assert!(site.find(from, "~/", b"d", None).is_err(), "{from:?}");
    }
}

#[test]
fn a_neighbour_writes_only_where_everybody_may() {
    let site = Site::new();
    site.refuses("~/shut/x");
    // The answer to a request of the directory's owner.
    let me = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .unwrap()
        .unwrap();
    let found = site.find("f", "~/shut/x", b"d", Some(&me.name)).unwrap();
    assert_eq!(found, site.path("public/shut/x"));
    assert!(
        site.find("f", "~/shut/x", b"d", Some("no-such-user"))
            .is_err()
    );
}

#[test]
fn a_public_directory_behind_a_link_is_no_trouble() {
    let mut site = Site::new();
    let real = site.path("public");
    fs::rename(&real, site.path("real")).unwrap();
    symlink(site.path("real"), &real).unwrap();
    site.finds("~/a", "real/a");
    site.rules = PathRules::new(["~", "!~/deep"]);
    site.refuses("~/deep/a");
    symlink(site.path("real/deep"), site.path("real/round")).unwrap();
    site.refuses("~/round/a");
}

/// A file in the making in a directory, and something else in the place that it is to get.
fn place_over_a_directory(destination: &Destination) -> SpoolError {
    fs::create_dir(destination.path()).unwrap();
    destination.open_staged("staged").unwrap();
    let error = destination.place("staged").unwrap_err();
    assert!(destination.path().is_dir());
    error
}

#[test]
fn a_place_that_is_taken_is_the_files_fault_but_not_in_the_spool() {
    let site = Site::new();
    let outside = Destination {
        directory: File::open(site.path("public")).unwrap(),
        directory_path: site.path("public"),
        name: "file".into(),
        in_spool: false,
    };
    assert!(!place_over_a_directory(&outside).is_temporary());
    let name = SpoolName::parse(b"D.0001").unwrap();
    let in_spool = Destination::of_data(&site.path("spool"), &name).unwrap();
    let error = place_over_a_directory(&in_spool);
    assert!(error.is_temporary(), "{error}");
}

#[test]
fn only_what_is_in_the_way_is_there_for_good() {
    use io::ErrorKind::{
        DirectoryNotEmpty, Interrupted, IsADirectory, NotFound, PermissionDenied,
        ReadOnlyFilesystem, StorageFull,
    };
    let is_temporary = |kind: io::ErrorKind| {
        let path = Path::new("/tmp/f");
        let failed = Err::<(), _>(io::Error::from(kind)).at("create", path);
        judged(failed.unwrap_err()).is_temporary()
    };
    // Somebody else's file in a directory like /tmp, or a directory.
    for kind in [PermissionDenied, IsADirectory, DirectoryNotEmpty] {
        assert!(!is_temporary(kind), "{kind}");
    }
    for kind in [StorageFull, ReadOnlyFilesystem, NotFound, Interrupted] {
        assert!(is_temporary(kind), "{kind}");
    }
}
