//! Requests that cannot be done.

use super::*;
use crate::spool::fault::{self, Trouble};

#[test]
fn what_is_no_file_is_not_sent_and_does_not_hold_the_call_up() {
    let test = TestSpool::new();
    let fifo = test.folder().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    for path in [fifo.to_str().unwrap(), "/dev/zero", "/", "/dev/tty"] {
        let request =
            Request::parse_work_line(format!("S {path} ~/x uucp -c D.0 0644 ").as_bytes()).unwrap();
        test.spool
            .queue(&beta(), Grade::DEFAULT, &[request], Vec::new())
            .unwrap();
    }
    let mut call = Call::new(&test, Features::OURS);
    assert!(call.next().is_none());
    let (later, never) = (&call.queue.complaints, &call.queue.hopeless);
    assert_eq!(later.len() + never.len(), 4, "{later:?} {never:?}");
    assert!(never.len() >= 3, "{later:?} {never:?}");
    let folder = test.spool.root().join("beta/C.");
    let left = || std::fs::read_dir(&folder).unwrap().count();
    let stay = later.len();
    assert_eq!(left(), 4, "nobody has been told yet");
    for (told, (job, _, _)) in std::mem::take(&mut call.queue.hopeless)
        .into_iter()
        .enumerate()
    {
        // The first one's user could not be told.
        call.queue.given_up(&job, told > 0).unwrap();
    }
    assert_eq!(left(), stay + 1);
}

#[test]
fn what_can_never_be_done_is_told_once_when_nothing_else_of_its_job_is_left() {
    let test = TestSpool::new();
    let path = test.folder().join("file");
    std::fs::write(&path, "text").unwrap();
    let send = |path: &Path| {
        let line = format!("S {} ~/x uucp -c D.0 0644 ", path.display());
        Request::parse_work_line(line.as_bytes()).unwrap()
    };
    let gone = send(&test.folder().join("gone"));
    for requests in [[gone.clone(), send(&path)], [send(&path), gone.clone()]] {
        let job = test
            .spool
            .queue(&beta(), Grade::DEFAULT, &requests, Vec::new())
            .unwrap();
        // In two calls the other one has to wait.
        for _ in 0..2 {
            let mut call = Call::new(&test, Features::OURS);
            call.queue.limits.size = Some(1);
            assert!(call.next().is_none());
            assert!(call.queue.hopeless.is_empty());
            assert_eq!(call.queue.complaints.len(), 1);
        }
        let mut call = Call::new(&test, Features::OURS);
        let (key, _) = call.next().unwrap();
        assert!(call.next().is_none() && call.queue.hopeless.is_empty());
        call.queue.confirmed(key).unwrap();
        let hopeless = std::mem::take(&mut call.queue.hopeless);
        assert_eq!(hopeless.len(), 1);
        assert_eq!((&hopeless[0].0, &hopeless[0].1), (&job, &gone));
        call.queue.given_up(&job, true).unwrap();
        assert_eq!(test.files(), [] as [String; 0]);
    }
}

#[test]
fn what_can_have_no_second_name_is_moved_when_its_user_has_been_told() {
    let test = TestSpool::new();
    let job = queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
    let before = test.files();
    std::fs::create_dir(test.spool.preserve_folder()).unwrap();
    for told in [false, true] {
        assert_eq!(test.files(), before);
        let mut call = Call::new(&test, Features::OURS);
        let (key, _) = call.next().unwrap();
        fault::arm(0, Trouble::NotPermitted);
        let kept = call.queue.preserve(key).unwrap();
        assert!(fault::disarm());
        assert!(kept.ends_with("/.Preserve"), "{kept}");
        // Whoever dies here leaves the job as it was.
        assert_eq!(test.files(), before);
        call.queue.refused(key, told).unwrap();
    }
    let after = test.files();
    assert!(
        after.len() == 1 && after[0].starts_with(".Preserve/D."),
        "{after:?}"
    );
    assert!(test.spool.read_work(&beta(), &job.work).is_err());
}

#[test]
fn what_is_kept_already_has_not_changed_and_is_kept_once() {
    let test = TestSpool::new();
    let job = queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
    let path = |name: &SpoolName| test.spool.data_path(&beta(), name);
    let mut temps = Vec::new();
    for _ in 0..2 {
        let mut call = Call::new(&test, Features::OURS);
        let (key, request) = call.next().unwrap();
        temps.push(temp(&request));
        // Queued within one tick of the file system's clock.
        let data = SpoolName::parse(&temps[0]).unwrap();
        let written = std::fs::metadata(path(&data)).unwrap().modified().unwrap();
        let work = File::options().write(true).open(path(&job.work)).unwrap();
        work.set_modified(written).unwrap();
        call.queue.preserve(key).unwrap();
        call.queue.refused(key, false).unwrap();
    }
    assert_eq!(temps[0], temps[1]);
    let kept = std::fs::read_dir(test.spool.preserve_folder()).unwrap();
    assert_eq!(kept.count(), 1);
}

#[test]
fn what_is_done_is_not_done_again_for_another_request_of_the_job() {
    let test = TestSpool::new();
    let lines = [
        "R /there/a ~/a joe -",
        "S /etc/hostname ~/b joe -c D.0 0644 ",
        "R /there/c ~/c joe -",
        "R /there/d ~/d joe -",
    ];
    let requests = lines.map(|line| Request::parse_work_line(line.as_bytes()).unwrap());
    let job = test
        .spool
        .queue(&beta(), Grade::DEFAULT, &requests, Vec::new())
        .unwrap();
    let path = test.spool.data_path(&beta(), &job.work);
    let written = SystemTime::now() - Duration::from_hours(1);
    let work = File::options().write(true).open(&path).unwrap();
    work.set_modified(written).unwrap();
    let mut call = Call::new(&test, Features::OURS);
    let keys: Vec<_> = std::iter::from_fn(|| call.next())
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys.len(), requests.len());
    call.queue.confirmed(keys[0]).unwrap();
    call.queue.confirmed(keys[1]).unwrap();
    call.queue.postponed(keys[2]);
    call.queue.refused(keys[3], true).unwrap();
    let left = test.spool.read_work(&beta(), &job.work).unwrap().requests;
    assert_eq!(left, requests[2..3]);
    // What changes of a file that was offered is told by the age of the work file.
    assert_eq!(path.metadata().unwrap().modified().unwrap(), written);
}
