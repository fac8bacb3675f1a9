//! What the programs at both ends of the chain cost: queueing, alone and under Postfix, and execution into Postfix.

use std::time::{Duration, Instant};

use suite_tests::Site;
use suite_tests::mail_host::{MailHost, Setup};
use suite_tests::maildir::add_rmail;
use suite_tests::node::{Node, Reach};
use suite_tests::peers::Peers;
use suite_tests::process;
use suite_tests::programs::{self, Side};
use suite_tests::queue::HandQueue;
use suite_tests::smtp::{self, Message};

use crate::calls::per_second;
use crate::repeat::{self, Descriptors};
use crate::table::{self, Better, Table};

const MASTER: &str = include_str!("../../../../conf-snippets/postfix/master.cf");
const MAIN: &str = include_str!("../../../../conf-snippets/postfix/main.cf");
const TRANSPORT: &str = include_str!("../../../../conf-snippets/postfix/transport");
/// How long nothing may come before the queue is flushed once more.
const FLUSH_AGAIN: Duration = Duration::from_secs(2);
/// Debian's own line, with the recipe's options.
const CLASSIC: &str = "uucp unix - n n - 20 pipe flags=Fq user=uucp argv=/uux -r -n -z -a$sender - $nexthop!rmail ($recipient)\n";

/// How one mail is queued, by ours and by the classic recipe.
pub(crate) const OURS: &[&str] = &[
    "--host=hub",
    "--from=ann@leaf.example",
    "--queue-id={number}",
    "--",
    "bob@hub.example",
];
pub(crate) const UUX: &[&str] = &[
    "-r",
    "-n",
    "-z",
    "-aann@leaf.example",
    "-",
    "hub!rmail",
    "(bob@hub.example)",
];

pub(crate) fn mail(number: usize) -> Vec<u8> {
    let header = format!(
        "From: ann@leaf.example\nTo: bob@hub.example\nMessage-ID: <{number}@leaf.example>\nSubject: {number}\n\n"
    );
    header
        .into_bytes()
        .into_iter()
        .chain(
            b"0123456789012345678901234567890123456789012345678901234567890123456789\n".repeat(55),
        )
        .collect()
}

pub(crate) fn leaf(folder: &Site, side: Side) -> Node {
    let leaf = Node::new(folder, "leaf", side);
    leaf.add_neighbour("hub", "", &Reach::Tcp(9), "");
    leaf
}

/// One process after the other, without an MTA.
pub(crate) fn queueing_alone(table: &mut Table, count: usize) {
    let name = "queueing alone, one after the other";
    queueing_with(table, name, Descriptors::AsHere, count);
    let name = format!("{name}, at most 1024 descriptors");
    queueing_with(table, &name, Descriptors::AsUsual, count);
}

fn queueing_with(table: &mut Table, name: &str, descriptors: Descriptors, count: usize) {
    let rate = |side| {
        move || {
            let folder = Site::new("bench");
            let leaf = leaf(&folder, side);
            let input = folder.path().join("mail");
            std::fs::write(&input, mail(1)).expect("the message");
            let (program, arguments) = match side {
                Side::Ours => (programs::bin("postfix-uucp"), OURS),
                Side::Taylor => (side.program("uux"), UUX),
            };
            let rate = repeat::rate(&leaf, descriptors, &program, arguments, &input, count);
            table::keep(folder);
            rate
        }
    };
    table.compare(
        name,
        "/s",
        Better::More,
        rate(Side::Ours),
        rate(Side::Taylor),
    );
}

/// Postfix holds the messages back, then lets them go to pipe(8), 20 at a time.
pub(crate) fn queueing_under_postfix(table: &mut Table, peers: &Peers, count: usize) {
    let name = "queueing under Postfix, 20 at a time";
    let rate = |side| {
        let master = MASTER.to_owned();
        move || {
            let folder = Site::new("bench");
            let leaf = leaf(&folder, side);
            let program = match side {
                Side::Ours => programs::bin("postfix-uucp"),
                Side::Taylor => peers.taylor("uux"),
            };
            let program = format!("{} -I {}", program.display(), leaf.config().display());
            let master = match side {
                Side::Ours => {
                    // Only the first half: the listener of the second is of no use here.
                    let (sending, _) = master.split_once("\n# From UUCP").expect("two halves");
                    sending.replace("/usr/lib/bangpath/postfix-uucp", &program) + "\n"
                }
                Side::Taylor => CLASSIC.replace("/uux", &program),
            };
            let main = format!("{MAIN}\ndefer_transports = uucp\n");
            let tools = peers.taylor("uux");
            let tools = tools.parent().expect("a folder");
            let setup = Setup {
                main: &main,
                master: &master,
                transport: TRANSPORT,
                binds: &[programs::build(), tools, leaf.folder()],
            };
            let host = MailHost::start(&folder, peers, "leaf", &setup);
            smtp::send_all(host.port(), &messages(count), 4);
            let run = |program: &str, arguments: &[&str]| {
                process::run(host.command(program, arguments), folder.path())
                    .expect_success(program);
            };
            run("/usr/sbin/postconf", &["-e", "defer_transports="]);
            run("/usr/sbin/postfix", &["reload"]);
            let mut start = Instant::now();
            run("/usr/sbin/postqueue", &["-f"]);
            let mut flushed = Instant::now();
            process::wait_for("all jobs", process::PATIENCE, || {
                // A queue manager that is just being replaced does not hear the first word.
                if flushed.elapsed() > FLUSH_AGAIN && leaf.count("hub/C.") == 0 {
                    run("/usr/sbin/postqueue", &["-f"]);
                    flushed = Instant::now();
                    start = flushed;
                }
                (leaf.count("hub/C.") >= count).then_some(())
            });
            let seconds = start.elapsed().as_secs_f64();
            drop(host);
            table::keep(folder);
            per_second(count, seconds)
        }
    };
    table.compare(
        name,
        "/s",
        Better::More,
        rate(Side::Ours),
        rate(Side::Taylor),
    );
}

pub(crate) fn messages(count: usize) -> Vec<Message> {
    let message = |number| Message {
        sender: "ann@leaf.example".into(),
        recipients: vec!["bob@hub.example".into()],
        content: mail(number),
    };
    (0..count).map(message).collect()
}

/// Queued executions through uuxqt and rmail into a real Postfix: ours, and Debian's uuxqt with Postfix's own rmail.
pub(crate) fn execution(table: &mut Table, peers: &Peers, count: usize) {
    let name = "uuxqt, rmail, into Postfix";
    let rate = |side| {
        move || {
            let folder = Site::new("bench");
            let hub = Node::new(&folder, "hub", side);
            let tools = peers.taylor("uuxqt");
            let tools = tools.parent().expect("a folder");
            let setup = Setup {
                binds: &[tools, hub.folder()],
                ..Setup::default()
            };
            let host = MailHost::start(&folder, peers, "hub", &setup);
            hub.add_neighbour("leaf", "", &Reach::Never, "");
            fill(&hub, count);
            let start = match side {
                Side::Ours => {
                    let toml = format!(
                        "[delivery]\nmethod = \"smtp\"\nsmtp = \"127.0.0.1:{}\"\n",
                        host.port()
                    );
                    hub.write("etc/mail.toml", &toml);
                    add_rmail(&hub);
                    let start = Instant::now();
                    hub.run("uuxqt", &[]).expect_success("uuxqt");
                    start
                }
                Side::Taylor => {
                    let uuxqt = peers.taylor("uuxqt").display().to_string();
                    let config = hub.config().display().to_string();
                    let words = [
                        "--reuid=10",
                        "--regid=10",
                        "--clear-groups",
                        &uuxqt,
                        "-I",
                        &config,
                    ];
                    let start = Instant::now();
                    process::run(host.command("/usr/bin/setpriv", &words), folder.path())
                        .expect_success("uuxqt");
                    start
                }
            };
            let seconds = start.elapsed().as_secs_f64();
            assert_eq!(
                hub.leftovers(),
                Vec::<String>::new(),
                "not all was executed"
            );
            process::wait_for("Postfix to deliver all", process::PATIENCE, || {
                (host.delivered().len() >= count).then_some(())
            });
            drop(host);
            table::keep(folder);
            per_second(count, seconds)
        }
    };
    table.compare(
        name,
        "/s",
        Better::More,
        rate(Side::Ours),
        rate(Side::Taylor),
    );
}

/// Execute files as a receiving uucico leaves them.
fn fill(hub: &Node, count: usize) {
    let mut queue = HandQueue::new(hub, "leaf");
    for number in 0..count {
        let body = [
            b"From ann@leaf.example  Fri Nov 20 12:00:00 2026\n".as_slice(),
            &mail(number),
        ]
        .concat();
        queue.received("leaf", &format!("rmail bob{number}@hub.example"), &body);
    }
}
