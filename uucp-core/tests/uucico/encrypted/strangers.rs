//! Who shows another key, no key, or speaks no TLS, and what both sides are told of it.

use std::fs;
use std::io::Read;
use std::process::Command;

use super::{assert_fails, call, complaint, fingerprint, friends};
use crate::lab::{Lab, Node, text};
use crate::skip::skip;

#[test]
fn where_tls_is_required_nothing_else_will_do() {
    let lab = friends("");
    let port = lab.listener.local_addr().unwrap().port();
    lab.alpha
        .write("etc/port", &format!("port out\ntype tcp\nservice {port}\n"));
    lab.alpha.queue("beta", "joe", b"mail");
    // Without that word the old way stays open.
    let (output, _) = lab.call();
    assert!(output.status.success(), "{}", text(&output));
    lab.alpha.queue("beta", "joe", b"mail");
    lab.beta.append("etc/mail.toml", "required = true\n");
    let (output, answered) = lab.call();
    assert!(!output.status.success() && !answered);
    assert!(text(&output).contains("call over TLS"), "{}", text(&output));
    assert!(complaint(&lab.beta, "without TLS").contains("System alpha called without TLS"));
    lab.alpha.append("etc/mail.toml", "required = true\n");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(
        text(&output).contains("port 'out' is not of type tls, which mail.toml requires for beta"),
        "{}",
        text(&output)
    );
    assert_eq!(lab.alpha.queued("beta"), 1);
}

#[test]
fn strangers_are_told_by_their_key_on_both_sides_and_the_job_stays() {
    let lab = friends("");
    lab.alpha.queue("beta", "joe", b"mail");
    let (alphas, betas) = (fingerprint(&lab.alpha), fingerprint(&lab.beta));
    let pin = |node: &Node, key: &str, name: &str| {
        node.write(
            "etc/mail.toml",
            &format!("[neighbour.{name}.tls]\npins = [\"{key}\"]\n"),
        );
    };
    // The wrong one is called.
    pin(&lab.alpha, &alphas, "beta");
    let output = assert_fails(&lab);
    let told = complaint(&lab.alpha, "shows the key");
    assert!(
        told.contains(&format!("port 'out': the other side shows the key {betas}, which is unknown; mail.toml pins another one for beta")),
        "{told}"
    );
    assert!(output.contains("[neighbour.beta.tls]"), "{output}");
    let told = complaint(&lab.beta, "refused (port in)");
    assert!(
        told.contains(
            "Call from 127.0.0.1 refused (port in): the other side refuses our certificate"
        ),
        "{told}"
    );
    assert!(
        lab.alpha.status("beta").contains("Dial failed"),
        "{}",
        lab.alpha.status("beta")
    );
    // The wrong one calls.
    pin(&lab.alpha, &betas, "beta");
    pin(&lab.beta, &betas, "alpha");
    let output = assert_fails(&lab);
    let told = complaint(&lab.beta, &alphas);
    assert!(
        told.contains("which is unknown; if it is a neighbour's, add it to 'pins'"),
        "{told}"
    );
    assert!(
        output.contains(&format!("have it pin our key, {alphas}")),
        "{output}"
    );
    // Nobody is believed for being the first.
    fs::remove_file(lab.beta.root.join("etc/mail.toml")).unwrap();
    let (_, answered) = call(&lab);
    assert!(!answered && complaint(&lab.beta, "nobody can call").contains("no key is pinned"));
    fs::remove_file(lab.alpha.root.join("etc/mail.toml")).unwrap();
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(
        text(&output).contains("no key is pinned for beta, and the port has no 'ca'"),
        "{}",
        text(&output)
    );
    fs::remove_file(lab.alpha.root.join("etc/tls.crt")).unwrap();
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert!(
        text(&output).contains("tls.crt; 'uucico --certificate' makes"),
        "{}",
        text(&output)
    );
    assert_eq!(lab.alpha.queued("beta"), 1);
    assert!(!lab.beta.log().contains("login Ualpha"));
}

#[test]
fn plain_and_encrypted_ports_do_not_meet() {
    let lab = friends("");
    let port = lab.listener.local_addr().unwrap().port();
    lab.alpha.queue("beta", "joe", b"mail");
    // A plain port here, an encrypted one there.
    let (output, answered) = lab.call();
    assert!(!output.status.success() && !answered);
    let told = complaint(&lab.alpha, "TLS");
    assert!(
        told.contains("port 'out': the other side does not speak TLS; is its port of type tcp"),
        "{told}"
    );
    // The other way round. Taylor's says a carriage return first.
    lab.alpha
        .write("etc/port", &format!("port out\ntype tcp\nservice {port}\n"));
    lab.alpha
        .append("etc/sys", "chat \"\" \\r\\c ogin: \\L word: \\P\n");
    assert_fails(&lab);
    let told = complaint(&lab.beta, "does not speak");
    assert!(
        told.contains("Call from 127.0.0.1 refused (port in): the other side does not speak TLS"),
        "{told}"
    );
    assert_eq!(lab.alpha.queued("beta"), 1);
}

/// What OpenSSL hears from an answerer, and what that says at its end.
fn openssl(lab: &Lab, options: &[&str]) -> Option<(String, String)> {
    const PROGRAM: &str = "/usr/bin/openssl";
    if !std::path::Path::new(PROGRAM).exists() {
        skip("calls by OpenSSL", "/usr/bin/openssl is missing");
        return None;
    }
    let at = |file: &str| lab.alpha.root.join("etc").join(file);
    let mut client = Command::new(PROGRAM)
        .args(["s_client", "-quiet", "-connect"])
        .arg(lab.listener.local_addr().unwrap().to_string())
        .arg("-cert")
        .arg(at("tls.crt"))
        .arg("-key")
        .arg(at("tls.key"))
        .args(options)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut answerer = lab.beta.answer(&lab.listener, &["-l", "-p", "in"]);
    let mut heard = [0; 7];
    let read = client.stdout.take().unwrap().read_exact(&mut heard);
    drop(client.stdin.take());
    client.kill().unwrap();
    client.wait().unwrap();
    assert!(!answerer.wait().unwrap().success());
    let heard = read.map_or_else(|_| String::new(), |()| heard.escape_ascii().to_string());
    Some((heard, complaint(&lab.beta, "")))
}

#[test]
fn openssl_is_understood_and_its_older_versions_are_not() {
    let lab = friends("");
    let Some((heard, told)) = openssl(&lab, &["-tls1_3"]) else {
        return;
    };
    assert_eq!(heard, "login: ", "{told}");
    assert!(told.contains("Line disconnected"), "{told}");
    let (heard, told) = openssl(&lab, &["-tls1_2"]).unwrap();
    assert_eq!(heard, "");
    assert!(
        told.contains("refused (port in): the other side does not speak TLS 1.3"),
        "{told}"
    );
}
