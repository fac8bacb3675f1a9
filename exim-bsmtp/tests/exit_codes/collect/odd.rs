//! What is odd in a drop box: it is kept and told, and keeps nothing else waiting.

use super::*;

#[test]
fn what_is_for_nobody_stays_and_keeps_nobody_waiting() {
    let site = Site::new();
    let path = put(&site, "beyond", &mail(1).1);
    put(&site, "hub", &mail(2).1);
    let outcome = collect(&site, &["--quiet"]);
    assert_eq!(outcome.status, Some(68), "{outcome:?}");
    assert!(
        outcome.said.contains("'beyond' is not a system"),
        "{outcome:?}"
    );
    assert_eq!(fs::read(path).unwrap(), mail(1).1);
    assert_eq!(site.outbox("hub").len(), 1);
    // Only for those that are named.
    put(&site, "hub", &mail(3).1);
    assert_eq!(collect(&site, &["other"]).status, Some(0));
    assert_eq!(names(&site), ["beyond", "hub"]);
    let outcome = collect(&site, &["--", "hub"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(site.outbox("hub").len(), 2);
}

#[test]
fn what_is_not_understood_is_kept_and_told_once() {
    let site = Site::new();
    let garbage = b"this is no command\n";
    let cut = b"MAIL FROM:<bob@leaf.lab>\nRCPT TO:<alice@hub.lab>\nDATA\nhello hal";
    let batch = [&mail(1).1[..], garbage, &mail(2).1, cut].concat();
    put(&site, "hub", &batch);
    let outcome = collect(&site, &["--quiet"]);
    assert_eq!(outcome.status, Some(65), "{outcome:?}");
    for text in [
        "hub: line 11:",
        "this is no command",
        "cut in the message",
        ".unread.",
    ] {
        assert!(outcome.said.contains(text), "{text}: {outcome:?}");
    }
    assert_eq!(site.outbox("hub").len(), 2);
    let kept = names(&site);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept[0].starts_with("hub.unread."), "{kept:?}");
    let kept = fs::read(drop_box(&site).join(&kept[0])).unwrap();
    let text = String::from_utf8(kept).unwrap();
    assert!(text.starts_with("this is no command\nMAIL FROM"), "{text}");
    assert!(text.ends_with("hello hal\n"), "{text}");
    let told = local_mail(&site);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("this is no command"), "{told:?}");
    assert!(told[0].contains("hub.unread."), "{told:?}");
    let log = fs::read_to_string(site.root.join("Log")).unwrap();
    for text in [
        "this is no command",
        "what was not understood is in ",
        ".unread.",
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
    assert_eq!(collect(&site, &[]).said, "");
}

#[test]
fn a_directory_that_cannot_be_read_is_told() {
    let site = Site::new();
    let outcome = site.run(&["--collect=/nonexistent/bsmtp"], b"");
    assert_eq!(outcome.status, Some(75), "{outcome:?}");
    assert!(outcome.said.contains("/nonexistent/bsmtp"), "{outcome:?}");
}

#[test]
fn what_cannot_be_read_keeps_nothing_waiting_but_itself() {
    let site = Site::new();
    put(&site, "hub.batch.67400000-1-0/1", &mail(1).1);
    put(&site, "hub.batch.67400000-1-0/3", &mail(3).1);
    let odd = drop_box(&site).join("hub.batch.67400000-1-0/2");
    fs::create_dir(&odd).unwrap();
    // In the second run the first has left nothing that may be queued again.
    for _ in 0..2 {
        let outcome = collect(&site, &["--quiet"]);
        assert_eq!(outcome.status, Some(75), "{outcome:?}");
        assert!(outcome.said.contains("67400000-1-0/2 is"), "{outcome:?}");
        let contents: Vec<_> = site.outbox("hub").into_iter().map(|q| q.content).collect();
        assert_eq!(contents, [mail(1).0.into_bytes(), mail(3).0.into_bytes()]);
        let left = fs::read_dir(odd.parent().unwrap()).unwrap();
        assert_eq!(left.count(), 1);
    }
    fs::remove_dir(odd).unwrap();
    assert_eq!(collect(&site, &["--quiet"]).status, Some(0));
    assert_eq!(site.outbox("hub").len(), 2);
    assert_eq!(names(&site), Vec::<String>::new());
}

#[test]
fn a_batch_that_is_wrong_everywhere_is_told_of_in_short() {
    let site = Site::new();
    let wrong = [b"garbage\n", &mail(1).1[..]].concat().repeat(1000);
    put(&site, "hub", &wrong);
    let outcome = collect(&site, &["--quiet"]);
    assert_eq!(outcome.status, Some(65), "{:.300}", outcome.said);
    assert!(outcome.said.lines().count() < 110, "{:.300}", outcome.said);
    assert!(outcome.said.contains("and 900 more"), "{outcome:?}");
    assert_eq!(site.outbox("hub").len(), 1000);
    assert_eq!(local_mail(&site).len(), 1);
}
