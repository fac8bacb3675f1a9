//! Submissions: repeats, regrouped repeats, death and a full disk at every step.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::fault;
use super::super::tests::deliveries::{
    ANN, JOE, key, open, report, survive_death, survive_full_disk,
};
use super::super::tests::{TestSpool, beta, draft};
use super::*;
use crate::name::{Grade, SpoolName};
use crate::wire::command::Request;

fn begin(test: &TestSpool) -> Result<Submission, SpoolError> {
    test.spool
        .begin_submission(&key(), Instant::now() + Duration::from_secs(5))
}

/// A delivery as a sender makes it: one job for the recipients that are not covered, one report.
fn deliver(test: &TestSpool, recipients: &[&[u8]]) -> Result<usize, SpoolError> {
    let submission = begin(test)?;
    let open = open(&submission, recipients);
    if open.is_empty() {
        return Ok(0);
    }
    let mut draft = draft(&test.spool, b"hello").map_err(|source| SpoolError::Io {
        action: "write",
        path: PathBuf::new(),
        source,
    })?;
    for request in &mut draft.requests {
        if let Request::Execute(execute) = request {
            execute.command = [&b"rmail "[..], &open.join(&b' ')].concat();
        }
    }
    let sender = [b"sender@y".to_vec()];
    submission
        .commit(Delivery {
            recipients: &open,
            jobs: vec![draft],
            mails: &[report(&sender)],
            ..Delivery::default()
        })
        .map(|queued| queued.jobs.len())
}

/// Every recipient of every queued job, sorted; each job's data must be there.
fn queued(test: &TestSpool) -> Vec<String> {
    let mut found = Vec::new();
    for work in test.spool.scan(&beta(), Grade::LAST).unwrap() {
        let work = test.spool.read_work(&beta(), &work).unwrap();
        for request in work.requests {
            let Request::Execute(execute) = request else {
                panic!("{request:?}");
            };
            let data = SpoolName::parse(&execute.file.temp).unwrap();
            let content = fs::read(test.spool.data_path(&beta(), &data)).unwrap();
            assert_eq!(content, b"hello");
            let command = String::from_utf8(execute.command).unwrap();
            found.extend(command.split(' ').skip(1).map(str::to_owned));
        }
    }
    found.sort();
    found
}

/// The far side took everything.
fn send_all(test: &TestSpool) {
    for work in test.spool.scan(&beta(), Grade::LAST).unwrap() {
        let work = test.spool.read_work(&beta(), &work).unwrap();
        let data: Vec<SpoolName> = work
            .requests
            .iter()
            .filter_map(|request| match request {
                Request::Execute(execute) => SpoolName::parse(&execute.file.temp).ok(),
                _ => None,
            })
            .collect();
        test.spool.finish_job(&work.job, &data).unwrap();
    }
}

#[test]
fn a_repeat_queues_nobody_twice_and_loses_nobody() {
    let test = TestSpool::new();
    assert_eq!(deliver(&test, &[JOE]).unwrap(), 1);
    assert_eq!(deliver(&test, &[JOE]).unwrap(), 0);
    assert_eq!(queued(&test), ["joe@x.example"]);
    // Grouped anew, and after the job was sent.
    send_all(&test);
    assert_eq!(deliver(&test, &[ANN, JOE]).unwrap(), 1);
    assert_eq!(queued(&test), ["ann@x.example"]);
    assert_eq!(deliver(&test, &[JOE, ANN]).unwrap(), 0);
    assert_eq!(test.spool.local_mail_names().unwrap().len(), 2);
    // Another message is another message.
    let other = SubmissionKey {
        content_hash: [8; 32],
        ..key()
    };
    let submission = test.spool.begin_submission(&other, Instant::now()).unwrap();
    assert!(!submission.is_covered(JOE));
}

#[test]
fn the_job_appears_after_its_record_and_the_record_after_its_data() {
    let test = TestSpool::new();
    deliver(&test, &[JOE]).unwrap();
    let submission = begin(&test).unwrap();
    let draft = draft(&test.spool, b"hello").unwrap();
    fault::record();
    let delivery = Delivery {
        recipients: &[ANN],
        jobs: vec![draft],
        ..Delivery::default()
    };
    submission.commit(delivery).unwrap();
    let steps: Vec<&str> = fault::record().into_iter().map(|(what, _)| what).collect();
    assert_eq!(
        steps,
        [
            "create",
            "write",
            "rename",
            "sync",
            "sync",           // the work file, and the data, which was written before
            "sync directory", // the data is in its place for good
            "write",
            "sync", // the record
            "rename",
            "sync directory", // the job exists for good
        ]
    );
}

#[test]
fn who_believes_a_record_syncs_the_names_that_it_promises() {
    // From the rename on the job is there, and only the sync of its folder is missing.
    let cut = |steps| {
        let test = TestSpool::new();
        fault::arm(steps, fault::Trouble::Death);
        let _ = deliver(&test, &[JOE]);
        assert!(fault::disarm(), "it ends before its last sync");
        let queued = test.spool.scan(&beta(), Grade::LAST).unwrap();
        (!queued.is_empty()).then_some(test)
    };
    let test = (0..).find_map(cut).unwrap();
    fault::record();
    assert_eq!(deliver(&test, &[JOE]).unwrap(), 0);
    let steps = fault::record();
    let synced = |path: &Path| steps.contains(&("sync directory", path.to_owned()));
    let folder = test.spool.work_folder(&beta());
    assert!(synced(&folder), "{steps:?}");
    assert!(synced(folder.parent().unwrap()) && synced(test.spool.root()));
    assert!(synced(&test.spool.own_folder("local-mail")), "{steps:?}");
}

#[test]
fn death_between_any_two_steps_neither_loses_nor_doubles_a_recipient() {
    let take = |test: &TestSpool| {
        let recipients = queued(test);
        send_all(test);
        recipients
    };
    survive_death(deliver, take, |test, steps| {
        let mails = test.spool.local_mail_names().unwrap().len();
        assert!((1..=2).contains(&mails), "step {steps}: {mails} reports");
    });
}

#[test]
fn a_full_disk_at_any_step_is_told_and_the_repeat_makes_it_whole() {
    survive_full_disk(deliver, queued);
}

#[test]
fn a_taken_work_file_name_is_recorded_anew() {
    let test = TestSpool::new();
    let submission = begin(&test).unwrap();
    let draft = draft(&test.spool, b"hello").unwrap();
    let mut jobs = test.spool.write_jobs(vec![draft]).unwrap();
    let taken = test.spool.data_path(&beta(), &jobs[0].id.work);
    durable::make_directory(taken.parent().unwrap()).unwrap();
    fs::write(&taken, "").unwrap();
    place_data(&mut jobs).unwrap();
    let part = Part {
        recipients: vec![JOE.to_vec()],
        jobs: vec![RecordedJob::of(&jobs[0])],
        ..Part::default()
    };
    let staged = &mut jobs[0].staged;
    submission
        .record
        .append(0, &part, &mut |kept| staged[0].set_kept(kept))
        .unwrap();
    let learn = |part: &Part| submission.record.append(0, part, &mut |_| ());
    appear(&test.spool, &mut jobs, learn).unwrap();
    drop((submission, jobs));
    fs::remove_file(&taken).unwrap();
    // The record's first name is free again: nobody may take that for a job that was cut.
    assert!(begin(&test).unwrap().is_covered(JOE));
    assert_eq!(queued(&test).len(), 1);
}

#[test]
fn deliveries_of_one_message_side_by_side_wait_for_each_other() {
    let test = TestSpool::new();
    let first = begin(&test).unwrap();
    let error = test
        .spool
        .begin_submission(&key(), Instant::now())
        .unwrap_err();
    assert!(error.is_temporary());
    drop(first);
    let queued_jobs: usize = std::thread::scope(|scope| {
        let deliveries: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| deliver(&test, &[JOE, ANN]).unwrap()))
            .collect();
        deliveries.into_iter().map(|d| d.join().unwrap()).sum()
    });
    assert_eq!(queued_jobs, 1);
}

#[test]
fn records_expire_by_observed_time_and_broken_ones_are_read_as_far_as_they_are_whole() {
    let test = TestSpool::new();
    deliver(&test, &[JOE]).unwrap();
    test.spool.expire_submissions(Duration::ZERO).unwrap();
    assert!(begin(&test).unwrap().is_covered(JOE));
    let path = begin(&test).unwrap().record.path(0, 1);
    deliver(&test, &[ANN]).unwrap();
    let content = fs::read(&path).unwrap();
    let whole = content.trim_ascii_end();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let submission = begin(&test).unwrap();
    assert!(submission.is_covered(JOE) && !submission.is_covered(ANN));
    drop(submission);
    // Two weeks go by.
    let clock = test.spool.own_folder("clock");
    fs::write(&clock, format!("{} 0 0 another-boot\n", 3 * WEEK)).unwrap();
    test.spool
        .expire_submissions(Duration::from_secs(WEEK))
        .unwrap();
    assert!(!begin(&test).unwrap().is_covered(JOE));
}
