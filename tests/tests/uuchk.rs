//! Our uuchk beside Debian's: the same configuration shown alike, and HDB files that say the same once they are converted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use suite_tests::programs::bin;
use suite_tests::{Site, peers_or_skip};

fn write(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// What ours shows. It ends with 1 for what is missing here and is no matter of what is shown.
fn shown_by_ours(config: &Path) -> String {
    let output = Command::new(bin("uuchk")).arg("-I").arg(config).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

const CONFIG: &str = "nodename alpha\nspool FOLDER/spool\nsysfile FOLDER/sys FOLDER/sys2\nportfile FOLDER/port\n\
    dialfile FOLDER/dial\ncallfile FOLDER/call\npasswdfile FOLDER/passwd\ndialcodefile FOLDER/dialcode\n\
    v2-files no\nhdb-files no\nunknown commands rmail\ndebug chat,port\nmax-uuxqts 3\nrun-uuxqt 7\nstrip-login no\n";

const SYS: &str = r#"call-login *
call-password *
system beta
alias betty
alias bert
time Any 5
timegrade C Wk0800-1700
phone 555-1212
speed 9600
port modem1
call-timegrade N Any
call-local-size 10000 Wk0900-1000
call-remote-size 200 Wk0100-0200
called-local-size 300 Any
called-remote-size 400 Mo
protocol gi
protocol-parameter g window 3
chat-fail BUSY
chat-program /bin/x a \L
called-login Ubeta gamma
called-chat "" hello
sequence t
max-remote-debug chat
debug chat,port
request no
transfer no
local-send ~ !~/x
commands rmail rnews /bin/x
free-space 1000
forward gamma delta
success-wait 60
alternate other
port tcp
address beta.example
called-login Uother
myname alf
alternate third
port st
system gamma
time any
port type tcp
port service 540
address 1.2.3.4
max-file-time 20
called-timegrade B Mo0900-1000
call-timegrade C Tu
system delta
time any
port type pipe
port command /bin/ssh \H
pubdir /pub
free-space 0
commands ALL
forward-to ANY
command-path /a /b
callback y
chat ogin: \L-x "" BREAK word:\W5 \d\c
chat-seven-bit no
chat-fail A\sB
max-remote-debug none
system nosuch
port nosuch
time wk
send-request no
max-retries 3
system inline
time Evening
port type modem
port device /dev/x
port dialer chat "" ATD\D
port seven-bit t
port reliable f
port half-duplex t
"#;

const PORT: &str = "port modem1\ntype modem\ndevice /dev/ttyS0\nspeed 9600\nspeed-range 300 9600\ndialer hayes\n\
    carrier f\nlockname LCK..x\nport tcp\ntype tcp\nservice 99\nversion 6\nport st\ntype stdin\n";

const DIAL: &str = "dialer hayes\nchat \"\" ATZ OK ATDT\\T CONNECT\nchat-fail BUSY\ndialtone W\ncomplete +++\\d\\dATH\n\
    abort-chat \"\" +++\ndtr-toggle t t\ncarrier-wait 9\nprotocol-parameter i window 3\nseven-bit t\n";

#[test]
fn what_is_shown_is_what_taylors_uuchk_shows() {
    let Some(peers) = peers_or_skip("uuchk: the same configuration") else {
        return;
    };
    let site = Site::new("uuchk");
    let folder = site.path();
    let here = folder.display().to_string();
    for (name, text) in [
        ("config", CONFIG),
        ("sys", SYS),
        (
            "sys2",
            "time any\ncommand-path /usr/bin /usr/sbin\ncommands rsmtp spool\nsystem armada\nsystem last\nport tcp\n",
        ),
        ("port", PORT),
        ("dial", DIAL),
        ("call", "beta Ualpha secret\n"),
        ("passwd", ""),
        ("dialcode", "NY 1212\n"),
    ] {
        write(folder, name, &text.replace("FOLDER", &here));
    }
    // Passwords are not for a screen.
    let lines = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with(" Password "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let config = folder.join("config");
    let theirs = output(Command::new(peers.taylor("uuchk")).arg("-I").arg(&config));
    let (ours, theirs) = (lines(&shown_by_ours(&config)), lines(&theirs));
    for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours, theirs, "line {number}");
    }
    assert_eq!(ours.len(), theirs.len());
}

const SYSTEMS: &str = r#"# comment
upin Any ACU 38400 5551212 "" \r\d\r\d\r name:-\r-name:-\r-name user23 assword: rjk345 server> access\ssystem3\r ogin: user23
neon Any Direct 9600 - \r ogin:--ogin:--ogin: ulichen word: tru5ted
gr Any/C;5 ACU 1200-2400 NY-555=1 ogin: me word: pw
gr Any ACU,g 2400 5551213 ogin: me2 word: pw2
tc Wk0900-1700/C,Sa/B;9 TCP,te - host.example ogin: U word: P
tn Never TCP
ev Evening ACU Any 123 "" @ ogin-BREAK-ogin: x
odd Wk0900-1700|Sa,Su;7 Modem1 Any
cc Any ACU C2400 *5#5
"#;

const DEVICES: &str = "ACU ttyS2 - 38400 hayes\nACU,g ttyS3,M cua3 1200-2400 hayes \\T micom foo\nDirect ttyS4 - 9600 direct\n\
    Modem1 ttyS5 - Any hayes\nTCP,te - - Any TCP 540\nACU ttyS6 - C2400 hayes\n";

const DIALERS: &str = "hayes\t=,-,\t\"\" \\dATE1\\r\\c OK\\r-ATE1\\r\\c-OK\\r ATM0\\r\\c OK \\EATDT\\T\\r\\c CONNECT\ndirect\n\
    micom \"\" \"\" \\s\\c NAME? \\D\\r\\c GO\n";

const PERMISSIONS: &str = "MACHINE=neon MYNAME=firefly \\\nCOMMANDS=/usr/sbin/rmail:rnews \\\nREAD=/a:/var/x NOREAD=/var/x/y \\\n\
    WRITE=/a NOWRITE=/a/z \\\nSENDFILES=yes REQUEST=yes\nLOGNAME=uneon READ=/ WRITE=/ SENDFILES=call REQUEST=no CALLBACK=no\n\
    LOGNAME=ugr VALIDATE=gr:tc MYNAME=gg PUBDIR=/pub/gr SENDFILES=no REQUEST=yes\nMACHINE=gr:tc COMMANDS=ALL\n\
    LOGNAME=uany:ub CALLBACK=yes SENDFILES=yes\nLOGNAME=uplain\nMACHINE=OTHER COMMANDS=rmail\n";

/// What is said of each system: for each way to call it in turn, for each login.
fn facts(shown: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for system in shown.split("System: ").skip(1) {
        let name = system.split([' ', '\n']).next().unwrap();
        let mut ways = 0;
        for block in system.split("Alternate ") {
            let lines: Vec<&str> = block.lines().skip(1).map(str::trim).collect();
            let login = lines
                .iter()
                .find_map(|l| l.strip_prefix("When called using login name "));
            let calls = lines.iter().any(|line| line.contains("possible ports"));
            let key = match login {
                // What is before the first alternate is for nobody.
                Some(":nobody:") => continue,
                Some(login) => format!("{name}, login {login}"),
                None if calls => {
                    ways += 1;
                    format!("{name}, way {ways}")
                }
                None => continue,
            };
            let lines = lines
                .into_iter()
                .filter(|line| told_alike(line, login.is_some()));
            // A carriage return of its own is as good as the usual one.
            let lines = lines.map(|line| {
                let line = line.replace("This alternate applies when calling", "Call out");
                line.replace("\\r\\c", "")
            });
            all.insert(key, lines.collect());
        }
    }
    all
}

/// Whether a line is one that both must agree on. Taylor overlooks what HDB's dialers say of dial tones, and how it names the
/// service of a TCP device; it tells how often a call is repeated only where HDB gives no minutes; a phone number of one hyphen is
/// none; and what may be executed does not depend on a login.
fn told_alike(line: &str, login: bool) -> bool {
    let odd = [
        "Wait for dialtone",
        "Pause while",
        "TCP service",
        "Dialer sequence",
        "May retry the call",
        "Calls will never be placed",
    ];
    let passed_over = line.is_empty()
        || line == "Phone number -"
        || odd.iter().any(|start| line.starts_with(start))
        || (login && line.starts_with("May execute"));
    !passed_over
}

/// What Taylor's uuchk shows where `/etc/uucp` holds these files: in a name space whose `/etc` has nothing else.
fn in_etc(uuchk: &Path, files: &Path) -> String {
    let script =
        "mount -t tmpfs none /etc && mkdir /etc/uucp && cp \"$2\"/* /etc/uucp && exec \"$1\"";
    output(
        Command::new("unshare")
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(uuchk)
            .arg(files),
    )
}

#[test]
fn converted_hdb_files_say_what_taylor_reads_from_them() {
    let Some(peers) = peers_or_skip("uuchk: HDB files") else {
        return;
    };
    let site = Site::new("hdb");
    let (old, new) = (site.path().join("old"), site.path().join("new"));
    for (name, text) in [
        ("Systems", SYSTEMS),
        ("Devices", DEVICES),
        ("Dialers", DIALERS),
        ("Permissions", PERMISSIONS),
        ("Dialcodes", "NY 212\n"),
        ("config", "v2-files no\nnodename alpha\n"),
    ] {
        write(&old, name, text);
    }
    let uuchk = bin("uuchk");
    output(
        Command::new(&uuchk)
            .arg("--convert")
            .arg(&old)
            .arg("--to")
            .arg(&new),
    );
    let taylor = peers.taylor("uuchk");
    let wanted = facts(&in_etc(&taylor, &old));
    assert!(wanted.len() > 30, "{wanted:?}");
    let ours = facts(&shown_by_ours(&new.join("config")));
    let theirs = facts(&in_etc(&taylor, &new));
    for (key, wanted) in &wanted {
        assert_eq!(ours.get(key), Some(wanted), "ours, {key}");
        assert_eq!(theirs.get(key), Some(wanted), "Taylor's, {key}");
    }
    assert_eq!(ours.len(), wanted.len());
    // A second time nothing is written over.
    let again = Command::new(&uuchk)
        .arg("--convert")
        .arg(&old)
        .arg("--to")
        .arg(&new)
        .output();
    assert_eq!(again.unwrap().status.code(), Some(1));
}
