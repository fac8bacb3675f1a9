use std::time::Duration;

use super::*;
use crate::address::FromLineStyle;

fn parse(text: &str) -> Result<MailConfig, String> {
    MailConfig::parse(text, Path::new("/etc/uucp/mail.toml")).map_err(|e| e.to_string())
}

#[test]
fn a_missing_file_is_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let config = MailConfig::load(folder.path()).unwrap();
    let hub: SystemName = "hub".parse().unwrap();
    assert_eq!(config.delivery(Some(&hub)).method, None);
    assert_eq!(config.sending(&hub).command, "rmail");
    assert_eq!(config.sending(&hub).grade.byte(), b'C');
    assert_eq!(config.execution(None).jobs, 4);
    assert_eq!(config.policy(None).sender_domains, None);
    assert_eq!(config.policy(None).spool_limit, 4 << 30);
    assert_eq!(
        config.state_directory(Path::new("/s")),
        Path::new("/s/.Mail")
    );
}

#[test]
fn a_neighbours_section_comes_before_the_general_one() {
    let config = parse(
        r#"
postmaster = "root@leaf.lab"
domain = "leaf.lab"
names = ["leaf.lab"]
state-directory = "/var/lib/bangpath"
[delivery]
method = "smtp"
smtp = "[::1]:10026"
time-limit = "2m"
[policy]
reports-per-hour = 7
spool-limit = "2G"
[sending]
grade-by-size = [{ above = "1M", grade = "Z" }, { above = "100k", grade = "N" }]
size-limit = "10M"
[execution]
jobs = 2
age-limit = "7d"
[neighbour.hub.delivery]
method = "maildir"
maildir = "/srv/mail/%d/%u"
[neighbour.hub.policy]
sender-domains = [".example.org"]
message-limit = 1000
[neighbour.hub.sending]
command = "/usr/bin/rmail"
from-line = "remote-from"
grade = "B"
[neighbour.hub.execution]
time-limit = 90
"#,
    )
    .unwrap();
    let hub: SystemName = "hub".parse().unwrap();
    let delivery = config.delivery(Some(&hub));
    assert_eq!(delivery.method, Some(MethodName::Maildir));
    assert_eq!(delivery.smtp.unwrap().to_string(), "[::1]:10026");
    assert_eq!(delivery.time_limit, Duration::from_mins(2));
    assert_eq!(config.delivery(None).method, Some(MethodName::Smtp));
    let policy = config.policy(Some(&hub));
    let below = DomainPattern::Below("example.org".to_owned());
    assert_eq!(policy.sender_domains.unwrap(), [below]);
    assert_eq!((policy.message_limit, policy.reports_per_hour), (1000, 7));
    assert_eq!(policy.spool_limit, 2 << 30);
    let sending = config.sending(&hub);
    assert_eq!(sending.from_line, FromLineStyle::RemoteFrom);
    let grades: String = [0, 100 << 10, (100 << 10) + 1, 1 << 20, (1 << 20) + 1]
        .iter()
        .map(|size| sending.grade_for(*size).to_string())
        .collect();
    assert_eq!(grades, "BBNNZ");
    let execution = config.execution(Some(&hub));
    assert_eq!(execution.time_limit, Duration::from_secs(90));
    assert_eq!(execution.age_limit, Duration::from_hours(168));
}

#[test]
fn batches_are_told_one_by_one_and_have_defaults() {
    let config = parse(
        r#"
[sending]
format = "bsmtp"
compression = "gzip"
batch-bytes = "1M"
[neighbour.hub.sending]
far-end = "bangpath"
compression = "zstd"
compression-level = 9
dictionary = "0000abcd"
batch-messages = 7
batch-compressed-bytes = "64k"
[neighbour.nncp.sending]
compression = "none"
carrier = "nncp"
grade-by-size = [{ above = 10, grade = "d" }]
grade-by-priority = [{ at-least = 4, grade = "0" }, { at-least = -9, grade = "z" }]
[neighbour.old.sending]
format = "rmail"
[neighbour.other.sending]
command = "rcsmtp"
"#,
    )
    .unwrap();
    let sending = |name: &str| config.sending(&name.parse().unwrap());
    let hub = sending("hub");
    assert_eq!((hub.format, hub.far_end), (Format::Bsmtp, FarEnd::Bangpath));
    assert_eq!(hub.compression, Some(crate::codec::Compression::Zstd));
    assert_eq!(hub.compression_level, Some(9));
    assert_eq!(hub.dictionary.as_deref(), Some("0000abcd"));
    let limits = BatchLimits {
        messages: 7,
        bytes: 1 << 20,
        compressed_bytes: Some(64 << 10),
    };
    assert_eq!((hub.batch, &*hub.command), (limits, "rsmtp"));
    assert_eq!(hub.grade_with_priority(0, Some(1)).byte(), b'A');
    assert_eq!(hub.grade_with_priority(0, Some(0)).byte(), b'C');
    let nncp = sending("nncp");
    assert_eq!((nncp.compression, nncp.carrier), (None, Carrier::Nncp));
    assert_eq!((&*nncp.nncp_node, &*nncp.command), ("nncp", "rsmtp"));
    let grades: String = [(0, None), (11, None), (11, Some(3)), (11, Some(4))]
        .map(|(size, priority)| nncp.grade_with_priority(size, priority).to_string())
        .concat();
    assert_eq!(grades, "Cdz0");
    assert_eq!(sending("old").command, "rmail");
    assert_eq!(sending("other").command, "rcsmtp");
    assert_eq!(sending("any").command, "rgsmtp");
    assert_eq!(sending("any").far_end, FarEnd::Any);
    let none = parse("").unwrap().sending(&"any".parse().unwrap());
    assert_eq!((none.format, none.batch.messages), (Format::Rmail, 1000));
}

#[test]
fn an_error_names_file_and_line() {
    for (text, expected) in [
        (
            "\n[delivery]\nmethd = \"smtp\"\n",
            "/etc/uucp/mail.toml:3: 'methd' is not a key of [delivery]; did you mean 'method'?",
        ),
        (
            "[delivery]\nsmtp = \"localhost\"\n",
            "/etc/uucp/mail.toml:2: 'localhost' is not HOST:PORT",
        ),
        (
            "[delivery]\n\nmethod = \"fax\"\n",
            "/etc/uucp/mail.toml:3: 'fax' is no value of 'method'; it is one of ",
        ),
        (
            "[sending]\ngrade = \"!\"\n",
            "/etc/uucp/mail.toml:2: '!' is not a grade",
        ),
        (
            "[sending]\nsize-limit = \"10X\"\n",
            "/etc/uucp/mail.toml:2: '10X' is not a size",
        ),
        (
            "[execution]\nage-limit = \"5w\"\n",
            "/etc/uucp/mail.toml:2: '5w' is not a time",
        ),
        (
            "[execution]\ntime-limit = -1\n",
            "/etc/uucp/mail.toml:2: '-1' is not a time",
        ),
        (
            "\n[neighbour.\"a/b\".policy]\n",
            "/etc/uucp/mail.toml:2: '/' cannot stand",
        ),
        (
            "postmaster = \"a\\nb\"\n",
            "/etc/uucp/mail.toml:1: control character",
        ),
        (
            "[sending]\ncompression = \"rar\"\n",
            "/etc/uucp/mail.toml:2: unknown compression \"rar\"",
        ),
        (
            "[sending]\nbatch-messages = 0\n",
            "/etc/uucp/mail.toml:2: a batch has one message at least",
        ),
        (
            "[sending]\ngrade-by-priority = [{ at-least = 10, grade = \"A\" }]\n",
            "/etc/uucp/mail.toml:2: '10' is not a priority",
        ),
        (
            "[sending]\nformat = \"uux\"\n",
            "/etc/uucp/mail.toml:2: 'uux' is no value of 'format'; it is one of rmail, bsmtp",
        ),
        ("x", "/etc/uucp/mail.toml:1: "),
        (
            "[execution]\njobs = 0\n",
            "/etc/uucp/mail.toml:2: '0' is not a number from 1 to 256",
        ),
        (
            "[delivery]\nsessions = 99\n",
            "/etc/uucp/mail.toml:2: '99' is not a number from 1 to 64",
        ),
        (
            "[delivery]\nmaildir = \"Maildir/%u\"\n",
            "/etc/uucp/mail.toml:2: 'Maildir/%u' is not a whole path",
        ),
        (
            "[delivery]\nsendmail = \"sendmail\"\n",
            "/etc/uucp/mail.toml:2: 'sendmail' is not a whole path",
        ),
        (
            "[delivery]\nsendmail = \"/bin/a\\u0000b\"\n",
            "/etc/uucp/mail.toml:2: '/bin/a\0b' is not a whole path",
        ),
        (
            "state-directory = \"state\"\n",
            "/etc/uucp/mail.toml:1: 'state' is not a whole path",
        ),
        (
            "[sending]\nnncp-exec = \"bin/nncp-exec\"\n",
            "/etc/uucp/mail.toml:2: 'bin/nncp-exec' is not a whole path",
        ),
        (
            "[policy]\nsender-domains = [\"a.example\", \"*.b.example\"]\n",
            "/etc/uucp/mail.toml:2: '*.b.example' is not a domain",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(expected), "{text:?} gives {error:?}");
    }
}

#[test]
fn a_file_that_anybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE_NAME);
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let error = MailConfig::load(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("mail.toml: everybody can write"),
        "{error}"
    );
}

#[test]
fn the_manual_page_tells_every_key_and_its_example_is_right() {
    let page = include_str!("../../../man/mail.toml.5.md");
    let example = page
        .split_once("# EXAMPLE")
        .and_then(|(_, rest)| rest.split_once("# SEE ALSO"))
        .map(|(example, _)| {
            example.replace(
                "
    ", "
",
            )
        })
        .unwrap();
    let radio: SystemName = "radio".parse().unwrap();
    assert_eq!(
        parse(&example).unwrap().sending(&radio).size_limit,
        Some(100 << 10)
    );
    // The keys are those that an unknown one is told to be none of.
    for section in ["", "delivery", "policy", "sending", "execution", "hooks"] {
        let keys = wording::keys(section);
        assert!(!keys.is_empty(), "{section}");
        for key in keys {
            assert!(
                page.contains(&format!("**{key}**"))
                    || page.contains(&format!("# [{key}]"))
                    || key == "neighbour",
                "{section} {key}"
            );
        }
    }
}

#[test]
fn hooks_are_whole_paths() {
    let hub: SystemName = "hub".parse().unwrap();
    let leaf: SystemName = "leaf".parse().unwrap();
    let text = "[hooks]\nconnect = [\"/bin/up\", \"x y\"]\ntime-limit = \"5s\"\n";
    let text =
        format!("{text}[neighbour.leaf.hooks]\nconnect = []\ndisconnect = [\"/bin/down\"]\n");
    let config = parse(&text).unwrap();
    assert_eq!(config.hooks(&hub).connect, ["/bin/up", "x y"]);
    assert_eq!(config.hooks(&hub).time_limit, Duration::from_secs(5));
    assert!(config.hooks(&hub).disconnect.is_empty() && config.hooks(&leaf).connect.is_empty());
    assert_eq!(config.hooks(&leaf).disconnect, ["/bin/down"]);
    assert_eq!(MailConfig::default().hooks(&hub), Hooks::none());
    let error = parse("[hooks]\nconnect = [\"up\"]\n").unwrap_err();
    assert!(
        error.contains("mail.toml:2: 'up' is not the whole path"),
        "{error}"
    );
}

#[test]
fn servers_are_ports_or_unix_sockets() {
    let delivery = |line: &str| parse(&format!("[delivery]\n{line}")).map(|c| c.delivery(None));
    for (text, shown) in [
        ("localhost:24", "localhost:24"),
        ("/run/dovecot/lmtp", "/run/dovecot/lmtp"),
        ("unix:/run/lmtp", "/run/lmtp"),
    ] {
        let settings = delivery(&format!("lmtp = \"{text}\"")).unwrap();
        assert_eq!(settings.lmtp.unwrap().to_string(), shown);
    }
    let plain = delivery("").unwrap();
    assert_eq!((plain.sessions.get(), plain.session_messages), (4, None));
    let settings = delivery("sessions = 8\nsession-messages = 10").unwrap();
    assert_eq!(settings.sessions.get(), 8);
    assert_eq!(settings.session_messages.unwrap().get(), 10);
    for wrong in [
        "smtp = \"run/lmtp\"",
        "smtp = \"unix:run/lmtp\"",
        "sessions = 0",
        "session-messages = -1",
        "method = \"bsmtp\"",
    ] {
        let error = delivery(wrong).unwrap_err();
        assert!(error.starts_with("/etc/uucp/mail.toml:2: "), "{error}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_in_one_go_and_the_rest_holds() {
    let key = "0".repeat(64);
    let text = format!(
        "domain = \"leaf.lab\"\npostmaster = 7\n[delivery]\nmethd = \"smtp\"\nsessions = 0\nmaildir = \"x\"\n\
         sendmail = \"/usr/sbin/sendmail\"\n[nonsense]\na = 1\n[policy]\nsender-domains = [\n  \"*.a\",\n  \"b\",\n  \"@c\",\n]\n\
         [sending]\ngrade-by-size = [{{ above = \"x\", grade = \"N\" }}, {{ above = 1, grade = \"!\" }}]\n\
         [neighbour.\"a/b\".tls]\npins = [\"{key}\"]\n[neighbour.hub.tls]\npins = [\"{key}\", \"00\"]\n[neighbour.hub.policy]\n\
         message-limit = 1000\nreports-per-hour = \"many\"\n[neighbour.hub.sending]\nfar-end = \"us\"\n"
    );
    let file = Path::new("mail.toml");
    let lines = |text: &str| -> Vec<usize> {
        let (_, faults) = reading::read(text, file);
        let lines = faults.iter().map(|fault| match fault {
            MailConfigError::Content { line, .. } => *line,
            other => panic!("{other}"),
        });
        lines.collect()
    };
    assert_eq!(
        lines(&text),
        [2, 4, 5, 6, 8, 11, 17, 17, 18, 20, 21, 24, 26]
    );
    let (config, faults) = reading::read(&text, file);
    let domains = faults[5].to_string();
    assert!(
        domains.contains("'*.a' is not") && domains.contains("'@c' is not"),
        "{domains}"
    );
    let hub: SystemName = "hub".parse().unwrap();
    assert_eq!(config.domain(), Some("leaf.lab"));
    assert_eq!(config.policy(Some(&hub)).message_limit, 1000);
    assert_eq!(
        config.delivery(None).sendmail.as_deref(),
        Some(Path::new("/usr/sbin/sendmail"))
    );
    // What is not even TOML, line by line; and the rest is read all the same.
    let broken = "[delivery\nsmtp = \n= 3\n[policy]\nreports-per-hour = 0x\nkept-limit = \"1X\"\n";
    let told = lines(broken);
    assert!(
        [1, 3, 5, 6].iter().all(|line| told.contains(line)),
        "{told:?}"
    );
}

#[test]
fn places_are_found_in_the_neighbours_section_first() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[sending]\ndictionary = \"a\"\n[neighbour.hub]\nsending.dictionary = \"b\"\n[neighbour.leaf.policy]\n";
    std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
    let (_, places, _) = MailConfig::load_checked(folder.path());
    let keys = ["sending", "dictionary"];
    let lines = [Some("hub"), Some("leaf"), None].map(|name| places.line(name, &keys));
    assert_eq!(lines, [4, 2, 2]);
    assert_eq!(places.line(Some("leaf"), &[]), 5);
    assert_eq!(places.line(Some("hub"), &["sending", "nothing"]), 1);
}
