//! Root queues on a spool whose group may write there, and who is in the group has put links in the place of what root works on:
//! nothing of root's is touched, and what root may read is queued all the same.

use std::cell::Cell;
use std::fs::Permissions;
use std::os::unix::fs::symlink;

use suite_tests::programs::bin;

use super::*;

/// A folder of root's in which nobody else can look: a file, and a folder.
struct Private(PathBuf);

impl Private {
    fn new(site: &Site) -> Self {
        let private = Self(site.path().join("private"));
        fs::create_dir_all(private.path("folder")).unwrap();
        fs::write(private.path("file"), "root's\n").unwrap();
        fs::set_permissions(private.path("file"), Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(private.path("folder"), Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(&private.0, Permissions::from_mode(0o700)).unwrap();
        private
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    #[track_caller]
    fn is_untouched(&self, after: &str) {
        assert_eq!(process::lossy(&self.path("file")), "root's\n", "{after}");
        for (name, mode) in [("file", 0o600), ("folder", 0o700)] {
            let found = fs::metadata(self.path(name)).unwrap();
            let got = (found.uid(), found.gid(), found.mode() & 0o7777);
            assert_eq!(got, (0, 0, mode), "{name} after {after}");
        }
        let names = |path: &Path| fs::read_dir(path).unwrap().count();
        let count = (names(&self.0), names(&self.path("folder")));
        assert_eq!(count, (2, 0), "after {after}");
    }
}

/// Every way to queue, by root. Some cannot succeed where there are links; the status is not the matter.
fn queue_in_every_way(site: &Site, node: &Node) -> Vec<Finished> {
    let mail = b"MAIL FROM:<a@x.example>\nRCPT TO:<b@y.example>\nDATA\nSubject: x\n\nHello.\n.\n";
    let config = node.config();
    let postfix = [
        "--host=hub",
        "--from=a@x.example",
        "--queue-id=Q1",
        "--",
        "b@y.example",
    ];
    let ways: [(PathBuf, &[&str]); 6] = [
        (node.side().program("uux"), &["-r", "-", "hub!store", "x"]),
        (
            node.side().program("uux"),
            &["-r", "-x", "all", "-", "!rmail", "x"],
        ),
        (node.side().program("uux"), &["-r", "hub!"]),
        (bin("postfix-uucp"), &postfix),
        (bin("exim-bsmtp"), &["--id=X1", "hub"]),
        (bin("exim-bsmtp"), &["--flush"]),
    ];
    let run = |(program, words): &(PathBuf, &[&str])| {
        let mut command = process::command_as(Owner::Myself, program);
        command.arg("-I").arg(&config).args(*words);
        process::run_with_input(command, mail, site.path())
    };
    ways.iter().map(run).collect()
}

fn node(site: &Site) -> Node {
    let node = telling_node(site, "leaf");
    node.add_neighbour("hub", "", &Reach::Never, "");
    fs::set_permissions(node.spool(), Permissions::from_mode(0o2770)).unwrap();
    node
}

#[test]
fn links_in_the_spool_lead_root_nowhere() {
    if !is_root_or_skip("links_in_the_spool_lead_root_nowhere") {
        return;
    }
    let site = Site::new("rights");
    let private = Private::new(&site);
    let node = node(&site);
    let plant = |at: &str, target: PathBuf| {
        let at = node.path(at);
        let folder = at.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        for folder in folder.ancestors().take_while(|path| *path != node.folder()) {
            chown(folder, Some(10), Some(10)).unwrap();
        }
        symlink(target, &at).unwrap();
    };
    for name in [
        "spool/.Bangpath/submission-lock",
        "spool/.Bangpath/guard/LCK..leaf",
        "lock/LCK..leaf",
        "log/Log",
    ] {
        plant(name, private.path("file"));
    }
    plant("log/Debug", private.path("new"));
    queue_in_every_way(&site, &node);
    private.is_untouched("files");
    let _ = fs::remove_dir_all(node.path("spool/hub"));
    plant("spool/hub", private.path("folder"));
    for name in ["log/Log", "log/Debug"] {
        fs::remove_file(node.path(name)).unwrap();
    }
    plant("log/Log", private.path("new"));
    queue_in_every_way(&site, &node);
    private.is_untouched("folders");
}

#[test]
fn what_root_queues_is_the_owners_and_root_reads_its_own_files() {
    if !is_root_or_skip("what_root_queues_is_the_owners_and_root_reads_its_own_files") {
        return;
    }
    let site = Site::new("rights");
    let private = Private::new(&site);
    let node = node(&site);
    for run in queue_in_every_way(&site, &node) {
        run.expect_success("queueing");
    }
    let file = private.path("file").display().to_string();
    let bang = format!("!{file}");
    let copy = private.path("folder/copy");
    for (program, words) in [
        ("uux", &["-r", "-C", "hub!store", &bang][..]),
        ("uux", &["-r", "!rmail", &bang]),
        ("uucp", &["-r", &file, "hub!~/x"]),
        ("uucp", &[&file, copy.to_str().unwrap()]),
    ] {
        run_by_root(&site, &node, program, words).expect_success(program);
    }
    let copied = fs::metadata(&copy).unwrap();
    assert_eq!((copied.uid(), copied.gid()), (0, 0));
    fs::remove_file(copy).unwrap();
    private.is_untouched("queueing");
    let in_the_spool = Cell::new(0);
    let parts = ["spool", "log/Log"].map(|part| node.path(part));
    every(parts.into(), |path, found| {
        assert_eq!((found.uid(), found.gid()), (10, 10), "{}", path.display());
        if found.is_file() && process::lossy(path) == "root's\n" {
            in_the_spool.set(in_the_spool.get() + 1);
        }
    });
    assert_eq!(in_the_spool.get(), 3);
    // What is started is the owner's for good: it cannot become root again.
    let folder = site.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let uux = folder.join("uux");
    write_program(&uux, fs::read(node.side().program("uux")).unwrap());
    let told = node.path("stored/uucico");
    let script = format!(
        "#!/bin/sh\ngrep -e ^Uid -e ^Gid /proc/$$/status >{0}.new && mv {0}.new {0}\n",
        told.display()
    );
    write_program(&folder.join("uucico"), script);
    let mut command = process::command_as(Owner::Myself, &uux);
    command
        .arg("-I")
        .arg(node.config())
        .args(["hub!store", "x"]);
    process::run(command, site.path()).expect_success("uux");
    let said = process::wait_for("uucico to be started", process::PATIENCE, || {
        told.exists().then(|| process::lossy(&told))
    });
    assert_eq!(said, "Uid:\t10\t10\t10\t10\nGid:\t10\t10\t10\t10\n");
}

/// The files of an MTA are the MTA's, whoever owns the spool.
#[test]
fn root_collects_what_an_mta_has_left_where_only_that_may_look() {
    if !is_root_or_skip("root_collects_what_an_mta_has_left_where_only_that_may_look") {
        return;
    }
    let site = Site::new("rights");
    let node = node(&site);
    let folder = site.path().join("left");
    fs::create_dir(&folder).unwrap();
    let batch = "MAIL FROM:<a@x.example>\nRCPT TO:<b@y.example>\nDATA\nSubject: x\n\nHello.\n.\n";
    fs::write(folder.join("hub"), batch).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    let mut command = process::command_as(Owner::Myself, &bin("exim-bsmtp"));
    command.arg("-I").arg(node.config());
    command.arg("--collect").arg(&folder);
    process::run(command, site.path()).expect_success("exim-bsmtp --collect");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(node.count(".Bangpath/outbox/hub/queue"), 1);
    every(vec![node.spool()], |path, found| {
        assert_eq!((found.uid(), found.gid()), (10, 10), "{}", path.display());
    });
}
