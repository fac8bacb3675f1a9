use jiff::civil::date;
use jiff::tz::TimeZone;
use mail_parser::{MessageParser, MimeHeaders};

use super::*;

fn failed(recipient: &str) -> FailedRecipient {
    FailedRecipient {
        recipient: Address::parse(recipient.as_bytes()).unwrap(),
        status: "5.1.1".to_owned(),
        diagnostic: "550 5.1.1 no such user\r\nInjected: yes".to_owned(),
        remote: Some("127.0.0.1".to_owned()),
        original: None,
    }
}

fn build(sender: &str, failures: &[FailedRecipient], original: &[u8]) -> String {
    let sender = ReversePath::parse(sender.as_bytes()).unwrap();
    let when = date(2026, 11, 20)
        .at(10, 0, 0, 0)
        .to_zoned(TimeZone::UTC)
        .unwrap();
    let mut report = Report::new(&sender, "leaf", when, failures, original).unwrap();
    report.received_from = Some("hub");
    String::from_utf8_lossy(&report.build().unwrap()).into_owned()
}

#[test]
fn nobody_reports_to_the_null_sender() {
    let when = date(2026, 11, 20)
        .at(10, 0, 0, 0)
        .to_zoned(TimeZone::UTC)
        .unwrap();
    assert!(Report::new(&ReversePath::Null, "leaf", when, &[], b"").is_none());
}

#[test]
fn a_report_has_words_fields_and_the_message() {
    let original = b"Subject: lost\nFrom: bob@far.example\n\nbody line\n";
    let text = build(
        "hub!bob",
        &[failed("alice@leaf.lab"), failed("\u{17e}o@leaf.lab")],
        original,
    );
    let message = MessageParser::default().parse(text.as_bytes()).unwrap();
    let kind = message.content_type().unwrap();
    assert_eq!(
        (kind.ctype(), kind.subtype()),
        ("multipart", Some("report"))
    );
    assert_eq!(kind.attribute("report-type"), Some("delivery-status"));
    assert_eq!(message.parts.len(), 4);
    for line in [
        "To: hub!bob\n",
        "Auto-Submitted: auto-replied\n",
        "Reporting-MTA: dns; leaf\n",
        "Received-From-MTA: x-uucp; hub\n",
        "Final-Recipient: rfc822; alice@leaf.lab\n",
        "Final-Recipient: utf-8; \\x{17E}o@leaf.lab\n",
        "Status: 5.1.1\n",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user  Injected: yes\n",
        "Content-Type: message/rfc822\n",
        "body line\n",
        "Date: Fri, 20 Nov 2026 10:00:00 +0000\n",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    assert!(!text.contains('\r') && !text.contains("\nInjected"));
}

#[test]
fn of_a_large_message_only_the_header_goes_back() {
    let mut original = b"Subject: large\n\n".to_vec();
    original.resize(RETURN_LIMIT + 1, b'x');
    let text = build("bob@far.example", &[failed("a@b")], &original);
    assert!(text.contains("Content-Type: text/rfc822-headers"));
    assert!(text.contains("Subject: large\n"));
    assert!(text.len() < 4000);
}

#[test]
fn a_header_without_end_is_cut() {
    let mut original = Vec::new();
    while original.len() <= RETURN_LIMIT {
        original.extend_from_slice(b"X-Long: header field that goes on\n");
    }
    let text = build("bob@far.example", &[failed("a@b")], &original);
    assert!(text.len() < 40_000);
}

#[test]
fn bytes_of_the_original_stay_bytes() {
    let sender = ReversePath::parse(b"bob@far.example").unwrap();
    let when = date(2026, 11, 20)
        .at(10, 0, 0, 0)
        .to_zoned(TimeZone::UTC)
        .unwrap();
    let original = b"Subject: \xe9\xff\n\nbody \0 \x80\n";
    let failures = [failed("a@b")];
    let report = Report::new(&sender, "not a domain!", when, &failures, original).unwrap();
    let bytes = report.build().unwrap();
    assert!(bytes.windows(original.len()).any(|w| w == original));
}

#[test]
fn what_the_sender_asked_for_stands_in_the_report() {
    let sender = ReversePath::parse(b"bob@far.example").unwrap();
    let when = date(2026, 11, 20)
        .at(10, 0, 0, 0)
        .to_zoned(TimeZone::UTC)
        .unwrap();
    let failures = [FailedRecipient {
        original: Some(b"rfc822;al+2Bice@all.example".to_vec()),
        ..failed("alice@leaf.lab")
    }];
    let original = b"Subject: waits\n\nsecret body\n";
    let mut report = Report::new(&sender, "leaf", when, &failures, original).unwrap();
    report.envelope_id = Some(b"QQ+3D1");
    report.header_only = true;
    report.kind = Kind::Delayed {
        left: Duration::from_hours(100),
    };
    let text = String::from_utf8(report.build().unwrap()).unwrap();
    for line in [
        "Subject: Mail not delivered yet\n",
        "Original-Envelope-Id: QQ=1\nReporting-MTA: dns; leaf\n",
        "\n\nOriginal-Recipient: rfc822; al+ice@all.example\nFinal-Recipient: rfc822; alice@leaf.lab\nAction: delayed\n",
        "for 100 more hours",
        "Content-Type: text/rfc822-headers",
        "Subject: waits\n",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    assert!(!text.contains("secret body"));
}

#[test]
fn success_has_no_diagnosis() {
    let sender = ReversePath::parse(b"bob@far.example").unwrap();
    let when = date(2026, 11, 20)
        .at(10, 0, 0, 0)
        .to_zoned(TimeZone::UTC)
        .unwrap();
    let fine = [FailedRecipient {
        status: "2.0.0".to_owned(),
        diagnostic: String::new(),
        remote: None,
        ..failed("alice@leaf.lab")
    }];
    for (kind, action) in [(Kind::Relayed, "relayed"), (Kind::Delivered, "delivered")] {
        let mut report = Report::new(&sender, "leaf", when.clone(), &fine, b"x").unwrap();
        report.kind = kind;
        let text = String::from_utf8(report.build().unwrap()).unwrap();
        let fields = format!("Action: {action}\nStatus: 2.0.0\n\n");
        assert!(text.contains(&fields), "{text}");
        assert!(text.contains("\n\n<alice@leaf.lab>\n"), "{text}");
    }
}
