mod given_up;
mod judged;

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::config::{Settings, System};
use crate::spool::ASKED_FOR;
use crate::spool::tests::{TestSpool, beta, grade, queue_mail};
use crate::wire::command::SendRequest;

/// A call's queue on a spool, with the keys given out.
struct Call {
    queue: WorkQueue,
    keys: u64,
}

impl Call {
    fn new(test: &TestSpool, features: Features) -> Self {
        let limits = Limits {
            grade: Grade::LAST,
            size: None,
            features,
            rules: PathRules::new(["/"]),
            asked: PathRules::new(["/nowhere"]),
            received: PathRules::new(["~"]),
            pubdir: test.folder().to_path_buf(),
            ever: Ever::of(&System {
                name: beta(),
                aliases: Vec::new(),
                alternates: vec![Settings::defaults()],
            }),
        };
        let offered = test.spool.offered(&beta()).unwrap();
        let mut queue = WorkQueue::new(test.spool.clone(), beta(), limits, offered);
        // Every look counts.
        queue.look.interval = Duration::ZERO;
        Self { queue, keys: 0 }
    }

    fn next(&mut self) -> Option<(TransferKey, Request)> {
        self.keys += 1;
        // The time that the last look took does not hold the next up here.
        self.queue.look.took = Duration::ZERO;
        let key = TransferKey(self.keys);
        let work = self.queue.next(key).unwrap()?;
        Some((key, work.request))
    }

    fn has_news(&mut self) -> bool {
        self.queue.look.took = Duration::ZERO;
        self.queue.has_news().unwrap()
    }

    fn content(&self, key: TransferKey) -> Vec<u8> {
        let outgoing = self.queue.under_way(key).unwrap();
        let mut buffer = vec![0; 1000];
        let count = outgoing.source.read_at(&mut buffer, 0).unwrap();
        buffer.truncate(count);
        buffer
    }
}

fn temp(request: &Request) -> Vec<u8> {
    match request {
        Request::Send(send) => send.temp.clone(),
        Request::Execute(execute) => execute.file.temp.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_was_never_offered_is_not_believed_to_have_arrived() {
    let test = TestSpool::new();
    queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
    let mut call = Call::new(&test, Features::OURS);
    let (key, first) = call.next().unwrap();
    assert_eq!(call.queue.already_received(key).unwrap(), Repeat::Renamed);
    // Again in the same call, under a name that the peer cannot know.
    let (key, second) = call.next().unwrap();
    assert_ne!(temp(&first), temp(&second));
    assert_eq!(call.content(key), b"mail");
    // A peer that says so of every name does not keep the call going.
    assert_eq!(call.queue.already_received(key).unwrap(), Repeat::Renamed);
    assert!(call.next().is_none());
    call.queue.end().unwrap();
    let mut next = Call::new(&test, Features::OURS);
    let (key, third) = next.next().unwrap();
    assert_ne!(temp(&second), temp(&third));
    next.queue.confirmed(key).unwrap();
    next.queue.end().unwrap();
    assert_eq!(test.files(), [] as [String; 0]);
}

#[test]
fn a_file_that_a_broken_call_had_offered_is_believed_to_have_arrived() {
    for killed in [false, true] {
        let test = TestSpool::new();
        for _ in 0..2 {
            queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
        }
        let mut broken = Call::new(&test, Features::OURS);
        let (_, first) = broken.next().unwrap();
        if !killed {
            broken.queue.end().unwrap();
        }
        drop(broken);
        let mut call = Call::new(&test, Features::OURS);
        let (key, again) = call.next().unwrap();
        assert_eq!(temp(&first), temp(&again));
        assert_eq!(call.queue.already_received(key).unwrap(), Repeat::Believed);
        // The other one was never offered; after a kill nobody knows.
        let (key, _) = call.next().unwrap();
        let expected = if killed {
            Repeat::Believed
        } else {
            Repeat::Renamed
        };
        assert_eq!(call.queue.already_received(key).unwrap(), expected);
    }
}

#[test]
fn the_halves_of_a_broken_execution_get_new_names_too() {
    let test = TestSpool::new();
    queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
    let mut call = Call::new(&test, Features::NONE);
    let (data, _) = call.next().unwrap();
    call.queue.confirmed(data).unwrap();
    let (second, before) = call.next().unwrap();
    let told = call.content(second);
    assert_eq!(
        call.queue.already_received(second).unwrap(),
        Repeat::Renamed
    );
    let (third, after) = call.next().unwrap();
    assert_ne!(temp(&before), temp(&after));
    assert_eq!(call.content(third), told);
    call.queue.confirmed(third).unwrap();
    assert_eq!(test.files(), [] as [String; 0]);
}

#[test]
fn an_execution_is_broken_into_data_and_execute_file_for_a_peer_without_e() {
    let test = TestSpool::new();
    queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
    let mut call = Call::new(&test, Features::NONE);
    let (data, Request::Send(first)) = call.next().unwrap() else {
        panic!("no S");
    };
    let (execute, Request::Send(second)) = call.next().unwrap() else {
        panic!("no second S");
    };
    assert!(first.to.starts_with(b"D.alphaN") && second.to.starts_with(b"X.alphaN"));
    assert_eq!(first.to[1..], second.to[1..]);
    let written = String::from_utf8(call.content(execute)).unwrap();
    let name = String::from_utf8(first.to).unwrap();
    assert_eq!(
        written,
        format!("U uucp alpha\nF {name}\nI {name}\nC rmail joe@x.example\n")
    );
    // In any order; the job goes with the last.
    call.queue.confirmed(execute).unwrap();
    assert!(!test.files().is_empty());
    call.queue.confirmed(data).unwrap();
    assert_eq!(test.files(), [] as [String; 0]);
}

#[test]
fn what_comes_late_goes_in_the_order_of_its_grade() {
    let test = TestSpool::new();
    for content in [b"1", b"2"] {
        queue_mail(&test.spool, Grade::DEFAULT, content).unwrap();
    }
    let mut call = Call::new(&test, Features::OURS);
    let (first, _) = call.next().unwrap();
    queue_mail(&test.spool, grade(b'C'), b"urgent").unwrap();
    queue_mail(&test.spool, grade(b'z'), b"late").unwrap();
    let mut order = BTreeMap::from([(first, call.content(first))]);
    while let Some((key, _)) = call.next() {
        order.insert(key, call.content(key));
    }
    let order: Vec<Vec<u8>> = order.into_values().collect();
    assert_eq!(order, [&b"1"[..], b"urgent", b"2", b"late"]);
    assert!(!call.has_news());
    queue_mail(&test.spool, grade(b'z'), b"news").unwrap();
    assert!(call.has_news());
    assert!(!call.has_news(), "told once");
    assert!(call.next().is_some());
}

#[test]
fn of_a_long_queue_only_a_part_is_known_and_all_goes_in_order() {
    let test = TestSpool::new();
    let mut call = Call::new(&test, Features::OURS);
    call.queue.ahead = Ahead::new(3);
    for number in 0..10_u8 {
        let grade = if number % 2 == 0 { b'N' } else { b'D' };
        queue_mail(&test.spool, self::grade(grade), &[number]).unwrap();
    }
    let mut order = Vec::new();
    for _ in 0..4 {
        let (key, _) = call.next().unwrap();
        order.extend(call.content(key));
    }
    // What has moved up from behind the end is no news; what is more urgent is.
    assert!(!call.has_news());
    queue_mail(&test.spool, grade(b'A'), &[20]).unwrap();
    assert!(call.has_news());
    while let Some((key, _)) = call.next() {
        assert!(call.queue.ahead.len() <= 3);
        order.extend(call.content(key));
    }
    assert_eq!(order, [1, 3, 5, 7, 20, 9, 0, 2, 4, 6, 8]);
}

#[test]
fn what_waits_in_the_outbox_is_packed_when_the_queue_is_looked_at_and_while_the_call_lasts() {
    use crate::outbox::tests::{packing, queue};
    let test = TestSpool::new();
    queue(&test, &[("a", b'C'), ("b", b'C')]);
    let mut call = Call::new(&test, Features::OURS);
    call.queue.packer = Some(Packer::with(&test.spool, &beta(), Some(packing())));
    let (first, _) = call.next().unwrap();
    assert!(String::from_utf8_lossy(&call.content(first)).contains("Subject: b\n"));
    queue(&test, &[("late", b'N')]);
    assert!(call.has_news());
    queue(&test, &[("urgent", b'A')]);
    let (second, _) = call.next().unwrap();
    let (third, _) = call.next().unwrap();
    assert!(String::from_utf8_lossy(&call.content(second)).contains("Subject: urgent\n"));
    assert!(String::from_utf8_lossy(&call.content(third)).contains("Subject: late\n"));
    assert!(call.next().is_none());
    let notes = &call.queue.packer.as_ref().unwrap().notes;
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].starts_with("Packed 2 messages, "), "{notes:?}");
    for key in [first, second, third] {
        call.queue.confirmed(key).unwrap();
    }
    assert_eq!(test.files(), [] as [String; 0]);
    assert!(!test.spool.has_messages(&beta(), Grade::LAST).unwrap());
}

#[test]
fn a_call_that_may_not_carry_a_grade_or_a_size_packs_no_such_mail_into_its_way() {
    use crate::outbox::tests::{packing, queue};
    let test = TestSpool::new();
    queue(
        &test,
        &[("a", b'C'), ("b", b'C'), ("c", b'C'), ("later", b'z')],
    );
    let mut call = Call::new(&test, Features::OURS);
    call.queue.limits.grade = Grade::DEFAULT;
    call.queue.limits.size = Some(200);
    call.queue.packer = Some(Packer::with(&test.spool, &beta(), Some(packing())));
    let mut sent = 0;
    while let Some((key, _)) = call.next() {
        assert!(call.queue.under_way(key).unwrap().size <= 200);
        sent += 1;
    }
    assert!(sent > 1, "one batch of all would be larger");
    assert_eq!(test.spool.messages(&beta(), Grade::LAST).unwrap().len(), 1);
}

#[test]
fn a_file_that_changed_since_it_was_offered_gets_a_new_name() {
    let test = TestSpool::new();
    let path = test.folder().join("file");
    let linked = test.folder().join("linked");
    for path in [&path, &linked] {
        std::fs::write(path, "before").unwrap();
    }
    // One is sent from where it is, the other through a link in the spool, the third is a copy of the spool's own.
    let parse = |line: String| Request::parse_work_line(line.as_bytes()).unwrap();
    let link = SpoolName::parse(b"D.linked").unwrap();
    let copy = SpoolName::parse(b"D.copied").unwrap();
    let requests = [
        parse(format!("S {} ~/x uucp -c D.left 0644 ", path.display())),
        parse(format!("S {link} ~/y uucp -C {link} 0644 ")),
        parse(format!("S {copy} ~/z uucp -C {copy} 0644 ")),
    ];
    let job = test
        .spool
        .queue(&beta(), Grade::DEFAULT, &requests, Vec::new())
        .unwrap();
    let place = |name: &SpoolName| test.spool.data_path(&beta(), name);
    std::fs::create_dir_all(place(&link).parent().unwrap()).unwrap();
    std::fs::hard_link(&linked, place(&link)).unwrap();
    std::fs::write(place(&copy), "before").unwrap();
    let start = SystemTime::now();
    let touch = |path: &Path, seconds: u64| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(start + Duration::from_secs(seconds))
            .unwrap();
    };
    let work = test.spool.data_path(&beta(), &job.work);
    let offer = || {
        let mut call = Call::new(&test, Features::OURS);
        let names: Vec<Vec<u8>> = std::iter::from_fn(|| call.next())
            .map(|(_, request)| temp(&request))
            .collect();
        assert_eq!(names.len(), 3, "{:?}", call.queue.complaints);
        names
    };
    touch(&work, 10);
    assert_eq!(offer(), [&b"D.left"[..], b"D.linked", b"D.copied"]);
    for path in [&path, &linked, &place(&copy)] {
        touch(path, 20);
    }
    let second = offer();
    assert!(second[0] != b"D.left" && second[1] != b"D.linked");
    assert_eq!(second[2], b"D.copied");
    // Unchanged from then on they keep the new names.
    touch(&work, 30);
    assert_eq!(offer(), second);
}

#[test]
fn a_file_goes_by_the_rules_of_who_wanted_it_sent() {
    let test = TestSpool::new();
    let path = test.folder().join("file");
    std::fs::write(&path, "text").unwrap();
    let queue = |temp: &[u8]| {
        let request = Request::Send(SendRequest {
            from: path.clone().into_os_string().into_encoded_bytes(),
            to: b"~/".to_vec(),
            user: b"ann".to_vec(),
            options: crate::wire::command::RequestOptions::new(b"cd"),
            temp: temp.to_vec(),
            mode: 0o644,
            notify: Vec::new(),
            size: None,
        });
        let id = test
            .spool
            .queue(&beta(), Grade::DEFAULT, &[request], Vec::new());
        id.unwrap()
    };
    let folder = [test.folder()];
    for (temp, rules, asked, goes) in [
        (ASKED_FOR, &[][..], &folder[..], true),
        (ASKED_FOR, &folder, &[], true),
        (ASKED_FOR, &[], &[], false),
        (b"D.0001", &folder, &[], true),
        (b"D.0001", &[], &folder, false),
    ] {
        let job = queue(temp);
        let mut call = Call::new(&test, Features::OURS);
        call.queue.limits.rules = PathRules::new(rules);
        call.queue.limits.asked = PathRules::new(asked);
        assert_eq!(call.next().is_some(), goes, "{temp:?} {rules:?}");
        test.spool.finish_job(&job, &[]).unwrap();
    }
}
