//! Files that were queued, and lead elsewhere when they are to be sent.

use super::*;

/// What a name leads to can change after it was queued.
#[test]
fn a_file_that_who_queued_it_may_not_read_is_given_up() {
    let test = TestSpool::new();
    let at = |name: &str| test.folder().join(name);
    for (name, mode) in [("passwd", 0o600), ("open", 0o644)] {
        std::fs::write(at(name), name).unwrap();
        std::fs::set_permissions(at(name), std::os::unix::fs::PermissionsExt::from_mode(mode))
            .unwrap();
    }
    let line = format!("S {} ~/x ann -c D.left 0644 ", at("link").display());
    let request = Request::parse_work_line(line.as_bytes()).unwrap();
    let queue = |requests: &[Request]| {
        let job = test
            .spool
            .queue(&beta(), Grade::DEFAULT, requests, Vec::new());
        let work = test.spool.data_path(&beta(), &job.unwrap().work);
        // To root no file is closed.
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(work, Some(65_534), None).unwrap();
            std::fs::set_permissions(
                test.folder(),
                std::os::unix::fs::PermissionsExt::from_mode(0o755),
            )
            .unwrap();
        }
    };
    queue(&[request]);
    for (target, goes) in [("open", true), ("passwd", false)] {
        let _ = std::fs::remove_file(at("link"));
        std::os::unix::fs::symlink(target, at("link")).unwrap();
        let mut call = Call::new(&test, Features::OURS);
        assert_eq!(call.next().is_some(), goes, "{:?}", call.queue.complaints);
        let reasons: Vec<_> = call.queue.hopeless.iter().map(|one| &one.reason).collect();
        if !goes {
            assert_eq!(reasons.len(), 1);
            assert!(reasons[0].ends_with("may not read it"), "{reasons:?}");
        }
    }
}

#[test]
fn a_link_among_the_data_of_the_spool_is_not_sent() {
    let test = TestSpool::new();
    let path = test.folder().join("passwd");
    std::fs::write(&path, "secret").unwrap();
    let data = SpoolName::parse(b"D.0001").unwrap();
    let line = format!("S {data} ~/x ann -C {data} 0644 ");
    let request = Request::parse_work_line(line.as_bytes()).unwrap();
    test.spool
        .queue(&beta(), Grade::DEFAULT, &[request], Vec::new())
        .unwrap();
    let place = test.spool.data_path(&beta(), &data);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&path, place).unwrap();
    let mut call = Call::new(&test, Features::OURS);
    assert!(call.next().is_none());
    assert_eq!(call.queue.complaints.len(), 1);
}
