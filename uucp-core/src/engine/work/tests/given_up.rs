//! Requests that cannot be done.

use super::*;
use crate::config::time::{SizeRule, Timetables};
use crate::config::{Settings, System};
use crate::spool::fault::{self, Trouble};

/// The one request that can never be done.
#[track_caller]
fn only(call: &mut Call) -> Hopeless {
    let mut hopeless = std::mem::take(&mut call.queue.hopeless);
    assert_eq!(hopeless.len(), 1, "{hopeless:?}");
    hopeless.remove(0)
}

/// The job is gone, and its data kept.
fn assert_only_preserved(test: &TestSpool) {
    let after = test.files();
    assert!(
        after.len() == 1 && after[0].starts_with(".Preserve/D."),
        "{after:?}"
    );
}

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
    let hopeless = std::mem::take(&mut call.queue.hopeless);
    for (told, one) in hopeless.into_iter().enumerate() {
        // The first one's user could not be told.
        call.queue.given_up(one, told > 0).unwrap();
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
        let one = only(&mut call);
        assert_eq!((&one.job, &one.request), (&job, &gone));
        call.queue.given_up(one, true).unwrap();
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
    assert_only_preserved(&test);
    assert!(test.spool.read_work(&beta(), &job.work).is_err());
}

#[test]
fn what_can_never_be_done_and_have_no_second_name_is_moved_when_its_user_has_been_told() {
    let test = TestSpool::new();
    queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
    let before = test.files();
    std::fs::create_dir(test.spool.preserve_folder()).unwrap();
    let no_transfer: &dyn Fn(&mut Settings) = &|s| {
        (s.call_transfer, s.called_transfer) = (false, false);
    };
    for told in [false, true] {
        assert_eq!(test.files(), before);
        let mut call = Call::new(&test, Features::OURS);
        call.queue.limits.ever = ever(&[no_transfer]);
        assert!(call.next().is_none());
        let mut one = only(&mut call);
        fault::arm(0, Trouble::NotPermitted);
        let kept = call.queue.keep(&mut one).unwrap();
        assert!(fault::disarm());
        assert!(kept.ends_with("/.Preserve"), "{kept}");
        call.queue.given_up(one, told).unwrap();
    }
    assert_only_preserved(&test);
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

fn size_rule(bytes: u64, times: &str) -> SizeRule {
    SizeRule {
        bytes,
        times: Timetables::default().parse(times).unwrap(),
    }
}

/// What is allowed by alternates that are changed so.
fn ever(changes: &[&dyn Fn(&mut Settings)]) -> Ever {
    let alternates = changes.iter().map(|change| {
        let mut settings = Settings::defaults();
        change(&mut settings);
        settings
    });
    Ever::of(&System {
        name: beta(),
        aliases: Vec::new(),
        alternates: alternates.collect(),
    })
}

#[test]
fn what_some_rule_allows_at_some_time_waits_and_what_none_does_is_kept_and_given_up() {
    let small: &dyn Fn(&mut Settings) = &|s| {
        s.call_local_size = vec![size_rule(3, "Any")];
        s.called_local_size = vec![size_rule(2, "Wk"), size_rule(1, "Sa,Su")];
    };
    let by_day: &dyn Fn(&mut Settings) = &|s| {
        small(s);
        s.call_local_size = vec![size_rule(3, "Any0000-2359")];
    };
    let when_called: &dyn Fn(&mut Settings) = &|s| {
        s.call_local_size = vec![size_rule(3, "Any")];
    };
    let calls_are_useless: &dyn Fn(&mut Settings) = &|s| {
        small(s);
        s.called_local_size = Vec::new();
        s.called_transfer = false;
    };
    let no_transfer: &dyn Fn(&mut Settings) = &|s| {
        (s.call_transfer, s.called_transfer) = (false, false);
    };
    for (changes, given_up) in [
        (vec![small], true),
        (vec![small, small], true),
        (vec![calls_are_useless], true),
        (vec![no_transfer], true),
        (vec![by_day], false),
        (vec![when_called], false),
        (vec![small, when_called], false),
        (vec![small, no_transfer], true),
    ] {
        let test = TestSpool::new();
        queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
        let before = test.files();
        let mut call = Call::new(&test, Features::OURS);
        (call.queue.limits.size, call.queue.limits.ever) = (Some(3), ever(&changes));
        assert!(call.next().is_none());
        if !given_up {
            assert!(call.queue.hopeless.is_empty());
            assert_eq!(test.files(), before);
            continue;
        }
        let mut one = only(&mut call);
        let kept = call.queue.keep(&mut one).unwrap();
        assert!(kept.contains("/.Preserve/D."), "{kept}");
        call.queue.given_up(one, true).unwrap();
        assert_only_preserved(&test);
    }
}

#[test]
fn halves_of_a_broken_execution_wait_rather_than_lose_each_other() {
    let test = TestSpool::new();
    queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
    let before = test.files();
    let mut call = Call::new(&test, Features::NONE);
    let none: &dyn Fn(&mut Settings) = &|s| {
        s.call_local_size = vec![size_rule(3, "Any")];
        s.called_transfer = false;
    };
    (call.queue.limits.size, call.queue.limits.ever) = (Some(3), ever(&[none]));
    while let Some((key, _)) = call.next() {
        call.queue.postponed(key);
    }
    assert!(call.queue.hopeless.is_empty());
    assert_eq!(test.files(), before);
    // Without any transfer both go.
    let mut call = Call::new(&test, Features::NONE);
    let none: &dyn Fn(&mut Settings) = &|s| {
        (s.call_transfer, s.called_transfer) = (false, false);
    };
    call.queue.limits.ever = ever(&[none]);
    assert!(call.next().is_none());
    let hopeless = std::mem::take(&mut call.queue.hopeless);
    assert_eq!(hopeless.len(), 2);
    for mut one in hopeless {
        call.queue.keep(&mut one).unwrap();
        call.queue.given_up(one, true).unwrap();
    }
    assert_only_preserved(&test);
}

#[test]
fn paths_that_no_alternate_permits_are_given_up_before_anything_is_said() {
    let test = TestSpool::new();
    let path = test.folder().join("file");
    std::fs::write(&path, "text").unwrap();
    let send = format!("S {} ~/x uucp -c D.0001 0644 ", path.display());
    let here: &dyn Fn(&mut Settings) = &|_| {};
    let elsewhere: &dyn Fn(&mut Settings) = &|s| {
        s.local_send = PathRules::new(["/nowhere"]);
        s.local_receive = PathRules::new(["/nowhere"]);
    };
    for line in [&send, "R ~/there ~/here uucp -", "R ~/there here/ uucp -"] {
        let requests = [Request::parse_work_line(line.as_bytes()).unwrap()];
        for (changes, given_up) in [(vec![elsewhere], true), (vec![elsewhere, here], false)] {
            let job = test
                .spool
                .queue(&beta(), Grade::DEFAULT, &requests, Vec::new())
                .unwrap();
            let mut call = Call::new(&test, Features::OURS);
            let limits = &mut call.queue.limits;
            limits.rules = PathRules::new(["/nowhere"]);
            limits.received = PathRules::new(["/nowhere"]);
            limits.ever = ever(&changes);
            assert!(call.next().is_none(), "{line}");
            if given_up {
                let one = only(&mut call);
                assert!(one.reason.contains("not permitted to"), "{}", one.reason);
                call.queue.given_up(one, true).unwrap();
                assert_eq!(test.files(), [] as [String; 0]);
            } else {
                assert_eq!(call.queue.complaints.len(), 1);
                assert!(call.queue.hopeless.is_empty());
                test.spool.finish_job(&job, &[]).unwrap();
            }
        }
    }
}
