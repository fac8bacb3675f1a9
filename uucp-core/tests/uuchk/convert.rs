//! HDB files, converted: what is written, with which rights, and whether uuchk is content with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Site;
use super::faults::{assert_found, config};

#[test]
fn nothing_is_wrong_with_what_was_converted() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        (
            "Systems",
            "hub Any/C;5 ACU,g 9600 NY5551212 \"\" \\r\\d ogin:-BREAK-ogin: me word: pw\nhub Wk TCP,t,g - hub.example ogin: me\n\
             leaf Never Direct 9600 -\n",
        ),
        (
            "Devices",
            "ACU,g(7,256) ttyS2 - 9600 hayes\nDirect ttyS4 - 9600 direct\nTCP,t,e - - Any TCP 540\n",
        ),
        (
            "Dialers",
            "hayes =,-, \"\" \\dATE1\\r\\c OK\\r-ATE1\\r\\c-OK\\r \\EATDT\\T\\r\\c CONNECT\ndirect\n",
        ),
        ("Permissions", "LOGNAME=Uleaf VALIDATE=leaf\n"),
        ("Dialcodes", "NY 212\n"),
        ("Poll", "hub 4 16\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let new = folder.path().join("new");
    let uuchk = env!("CARGO_BIN_EXE_uuchk");
    let output = std::process::Command::new(uuchk)
        .arg("--convert")
        .arg(folder.path())
        .arg("--to")
        .arg(&new)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("chgrp uucp sys"));
    let mode = |name: &str| new.join(name).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(""), 0o755);
    for name in ["config", "port", "dial", "dialcode", "crontab"] {
        assert_eq!(mode(name), 0o644, "{name}");
    }
    assert_eq!(mode("sys"), 0o640, "it holds passwords");
    // By its whole path: a crontab's PATH is not ours.
    let crontab = fs::read_to_string(new.join("crontab")).unwrap();
    let uucico = std::path::Path::new(uuchk).with_file_name("uucico");
    let line = format!("0 4,16 * * * {} -r1 -s hub\n", uucico.display());
    assert!(crontab.contains(&line), "{crontab}");
    let site = Site::new(&[]);
    for name in ["sys", "port", "dial", "dialcode"] {
        site.write(name, &fs::read_to_string(new.join(name)).unwrap());
    }
    let converted = fs::read_to_string(new.join("config")).unwrap();
    site.write("config", &config(&converted));
    assert_found(&site, &[]);
    let hub = site.run(&["-s", "hub"]).out;
    assert!(hub.contains(" Will use protocols tg\n"), "{hub}");
}
