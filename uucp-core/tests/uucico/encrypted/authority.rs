//! Certificates that an authority has signed.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::{complaint, friends};
use crate::lab::{Node, text};

fn signed(node: &Node, name: &str, by: &CertifiedIssuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    node.write("etc/tls.crt", &params.signed_by(&key, by).unwrap().pem());
    node.write("etc/tls.key", &key.serialize_pem());
    node.write("etc/ca.crt", &by.pem());
    node.append("etc/port", "ca ca.crt\n");
    fs::remove_file(node.root.join("etc/mail.toml")).unwrap();
}

#[test]
fn an_authority_signs_for_names_and_each_system_has_its_own() {
    let lab = friends("");
    let port = lab.listener.local_addr().unwrap().port();
    for node in [&lab.alpha, &lab.beta] {
        // One port for both directions.
        node.write("etc/port", &format!("port out\ntype tls\nservice {port}\n"));
    }
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    signed(&lab.alpha, "alpha", &authority);
    signed(&lab.beta, "127.0.0.1", &authority);
    let call = || lab.call_answered(&["-l", "-p", "out"]);
    lab.alpha.queue("beta", "joe", b"mail");
    let (output, _) = call();
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output),
        lab.beta.log()
    );
    lab.alpha.queue("beta", "joe", b"mail");
    // Good certificates, but for somebody else.
    lab.beta.write(
        "etc/mail.toml",
        "[neighbour.alpha.tls]\nnames = [\"alpha.example\"]\n",
    );
    let (output, _) = call();
    assert!(!output.status.success());
    assert!(
        complaint(&lab.beta, "System alpha")
            .contains("is not known as its own; see [neighbour.alpha.tls]")
    );
    lab.alpha.write(
        "etc/mail.toml",
        "[neighbour.beta.tls]\nnames = [\"beta.example\"]\n",
    );
    let (output, _) = call();
    assert!(
        text(&output).contains("the certificate of the other side is not one for beta.example"),
        "{}",
        text(&output)
    );
    assert_eq!(lab.alpha.queued("beta"), 1);
}
