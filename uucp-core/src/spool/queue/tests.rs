//! Queueing: many senders at once, the order of steps, death and a full disk at every step.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::super::fault::{self, Trouble};
use super::super::tests::{TestSpool, beta, grade, queue_mail};
use super::super::{SpoolError, StageKind};
use super::*;
use crate::name::Grade;

#[test]
fn a_job_is_its_data_and_its_work_file() {
    let test = TestSpool::new();
    let job = queue_mail(&test.spool, grade(b'C'), b"hello mail\n").unwrap();
    let work = test.spool.read_work(&beta(), &job.work).unwrap();
    assert_eq!(work.job, job);
    assert_eq!(work.grade, grade(b'C'));
    let [Request::Execute(request)] = &work.requests[..] else {
        panic!("{work:?}");
    };
    let data = SpoolName::parse(&request.file.temp).unwrap();
    let path = test.spool.data_path(&beta(), &data);
    assert_eq!(std::fs::read(&path).unwrap(), b"hello mail\n");
    assert!(request.file.to.starts_with(b"D.alphaC"));
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o660);
    let folder = std::fs::metadata(path.parent().unwrap()).unwrap();
    assert_eq!(folder.mode() & 0o7777, 0o2770);
    assert_eq!(test.in_the_making(), 0);

    test.spool.finish_job(&job, &[data]).unwrap();
    assert_eq!(test.files(), [] as [String; 0]);
}

#[test]
fn a_users_file_is_linked_where_the_owner_of_the_spool_can_read_it() {
    let test = TestSpool::new();
    let path = test.spool.root().join("file");
    std::fs::write(&path, "hello").unwrap();
    let link = |mode: u32| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        test.spool.stage_link(&beta(), &path).unwrap()
    };
    assert_eq!(link(0o400).map(|staged| staged.size()), Some(5));
    // Who has the rights of all reads it all the same; uucico, which runs as the owner, does not.
    assert!(link(0o200).is_none());
    let folder = test.spool.root().to_owned();
    assert!(test.spool.stage_link(&beta(), &folder).unwrap().is_none());
}

#[test]
fn the_answer_stands_on_syncs_in_the_right_order() {
    let test = TestSpool::new();
    queue_mail(&test.spool, Grade::DEFAULT, b"warm").unwrap();
    fault::record();
    queue_mail(&test.spool, Grade::DEFAULT, b"hello").unwrap();
    let steps: Vec<&str> = fault::record().into_iter().map(|(what, _)| what).collect();
    assert_eq!(
        steps,
        [
            "create",
            "write", // the data
            "create",
            "write", // the work file
            "rename",
            "sync",
            "sync",           // both
            "sync directory", // the data is in its place for good
            "rename",
            "sync directory", // the job exists for good
        ]
    );
}

#[test]
fn grade_order_holds_over_the_whole_queue() {
    let test = TestSpool::new();
    let folder = test.spool.work_folder(&beta());
    durable::make_directory(&folder).unwrap();
    for number in 0..3000 {
        std::fs::write(folder.join(format!("C.N{number:011}")), "").unwrap();
    }
    for name in [
        "C.Zzzz", "C.A999", "C.AAAA", "C.0zzz", "C.AaAA", "C.!bad", "TMP0001",
    ] {
        std::fs::write(folder.join(name), "").unwrap();
    }
    let all = test.spool.scan(&beta(), Grade::LAST).unwrap();
    let names: Vec<&str> = all.iter().map(SpoolName::as_str).collect();
    assert_eq!(names.len(), 3005);
    assert_eq!(names[..4], ["C.0zzz", "C.AAAA", "C.AaAA", "C.A999"]);
    assert_eq!(names[3004], "C.Zzzz");
    let urgent = test.spool.scan(&beta(), grade(b'M')).unwrap();
    assert_eq!(urgent.len(), 4);
    assert!(test.spool.has_work(&beta(), Grade::FIRST).unwrap());
    assert_eq!(test.spool.systems_with_work().unwrap(), [beta()]);
    let nobody = "nobody".parse().unwrap();
    assert!(!test.spool.has_work(&nobody, Grade::LAST).unwrap());
}

#[test]
fn many_senders_at_once_never_meet() {
    let test = TestSpool::new();
    let jobs: BTreeSet<String> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    (0..25)
                        .map(|_| {
                            queue_mail(&test.spool, Grade::DEFAULT, b"x")
                                .unwrap()
                                .to_string()
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        senders
            .into_iter()
            .flat_map(|s| s.join().unwrap())
            .collect()
    });
    assert_eq!(jobs.len(), 400);
    assert_eq!(test.spool.scan(&beta(), Grade::LAST).unwrap().len(), 400);
    assert_eq!(test.files().len(), 800);
}

/// S0: nothing. S1: data without a work file, to which nobody refers. S2: the whole job.
fn state(test: &TestSpool) -> &'static str {
    let files = test.files();
    let works = test.spool.scan(&beta(), Grade::LAST).unwrap();
    match (works.len(), files.len()) {
        (0, 0) => "nothing",
        (0, _) => "orphan",
        (1, 2) => {
            let work = test.spool.read_work(&beta(), &works[0]).unwrap();
            let [Request::Execute(request)] = &work.requests[..] else {
                panic!("{work:?}");
            };
            let data = SpoolName::parse(&request.file.temp).unwrap();
            let content = std::fs::read(test.spool.data_path(&beta(), &data)).unwrap();
            assert_eq!(content, b"hello mail\n");
            "job"
        }
        other => panic!("{other:?}: {files:?}"),
    }
}

#[test]
fn death_between_any_two_steps_leaves_nothing_or_the_whole_job() {
    let mut seen = BTreeSet::new();
    for steps in 0.. {
        let test = TestSpool::new();
        fault::arm(steps, Trouble::Death);
        let answer = queue_mail(&test.spool, Grade::DEFAULT, b"hello mail\n");
        let died = fault::disarm();
        let state = state(&test);
        assert_eq!(answer.is_ok(), !died);
        assert!(answer.is_err() || state == "job", "step {steps}: {state}");
        seen.insert(state);
        if !died {
            break;
        }
        // Whatever was left, the next sender is not disturbed.
        queue_mail(&test.spool, Grade::DEFAULT, b"next").unwrap();
    }
    assert_eq!(seen, BTreeSet::from(["nothing", "orphan", "job"]));
}

#[test]
fn a_full_disk_at_any_step_is_told_and_leaves_nothing() {
    for steps in 0.. {
        let test = TestSpool::new();
        fault::arm(steps, Trouble::DiskFull);
        let answer = queue_mail(&test.spool, Grade::DEFAULT, b"hello mail\n");
        let met = fault::disarm();
        if answer.is_ok() {
            assert!(!met, "step {steps} failed and nobody was told");
            break;
        }
        assert_eq!(state(&test), "nothing", "step {steps}: {answer:?}");
        assert_eq!(test.in_the_making(), 0, "step {steps}");
    }
}

#[test]
fn what_cannot_stand_in_a_work_file_is_refused_before_anything_is_queued() {
    let test = TestSpool::new();
    let staged = test.spool.stage(&beta(), StageKind::Execute).unwrap();
    assert!(staged.name().as_str().starts_with("D.X"));
    let (mut request, mail) = super::super::tests::mail(&test.spool, Grade::DEFAULT, b"x").unwrap();
    if let Request::Execute(execute) = &mut request {
        execute.command = b"rmail a\nrmail b".to_vec();
    }
    let error = test
        .spool
        .queue(&beta(), Grade::DEFAULT, &[request], vec![mail, staged])
        .unwrap_err();
    assert!(matches!(error, SpoolError::Unqueueable { .. }), "{error}");
    assert!(!error.is_temporary());
    assert_eq!(test.files(), [] as [String; 0]);
    assert_eq!(test.in_the_making(), 0);
}

#[test]
fn an_unusable_spool_is_a_temporary_error_that_names_the_path() {
    let test = TestSpool::new();
    std::fs::write(test.spool.root().join(".Bangpath"), "in the way").unwrap();
    let error = test.spool.stage(&beta(), StageKind::Data).unwrap_err();
    assert!(error.is_temporary());
    assert!(error.to_string().contains(".Bangpath"), "{error}");
}

#[test]
fn a_work_file_that_cannot_be_understood_is_set_aside_and_a_refused_one_is_kept() {
    let test = TestSpool::new();
    let job = queue_mail(&test.spool, Grade::DEFAULT, b"hello").unwrap();
    let path = test.spool.data_path(&beta(), &job.work);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let error = test.spool.read_work(&beta(), &job.work).unwrap_err();
    assert!(error.to_string().contains("cut"), "{error}");
    let moved = test.spool.set_aside_work(&beta(), &job.work).unwrap();
    assert!(moved.starts_with(test.spool.root().join(".Corrupt")));
    // A second one of that name does not take the place of the first.
    std::fs::write(&path, "again").unwrap();
    let second = test.spool.set_aside_work(&beta(), &job.work).unwrap();
    assert_ne!(moved, second);

    let data = SpoolName::parse(
        test.files()
            .iter()
            .find_map(|f| f.strip_prefix("beta/D./"))
            .unwrap()
            .as_bytes(),
    )
    .unwrap();
    // It goes from its place with the job; until then it is kept once, however often that is said.
    fault::record();
    let kept = test.spool.preserve(&job, &data).unwrap().unwrap();
    // By now the second name is on the disk.
    let steps: Vec<&str> = fault::record().into_iter().map(|(what, _)| what).collect();
    assert!(steps.ends_with(&["link", "sync directory"]), "{steps:?}");
    assert_eq!(
        test.spool.preserve(&job, &data).unwrap(),
        Some(kept.clone())
    );
    assert!(test.spool.data_path(&beta(), &data).exists());
    test.spool.finish_job(&job, &[data]).unwrap();
    assert_eq!(std::fs::read(kept).unwrap(), b"hello");
    // What can have no second name stays until it is moved. A directory has none on any file system.
    let data = SpoolName::parse(b"D.0002").unwrap();
    let path = test.spool.data_path(&beta(), &data);
    std::fs::create_dir(&path).unwrap();
    assert_eq!(test.spool.preserve(&job, &data).unwrap(), None);
    assert!(path.exists());
    let kept = test.spool.move_to_preserve(&job, &data).unwrap();
    assert!(kept.is_dir() && !path.exists());
}

#[test]
fn the_sweeper_takes_what_dead_senders_left_and_nothing_else() {
    let test = TestSpool::new();
    let live = test.spool.stage(&beta(), StageKind::Data).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_hours(2);
    let age = |path: &Path| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(old).unwrap();
    };
    age(&live.path);
    let dead = test.spool.new_folder().join("dead");
    std::fs::write(&dead, "x").unwrap();
    let young = test.spool.new_folder().join("young");
    std::fs::write(&young, "x").unwrap();
    age(&dead);
    test.spool.sweep().unwrap();
    assert!(live.path.exists() && young.exists() && !dead.exists());
}
