//! Which keys and certificates are believed, and what is said of the others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

use super::*;

/// Files with a certificate made by hand.
fn identity(pem: &str, key: &KeyPair) -> TlsIdentity {
    let folder = tempfile::tempdir().unwrap();
    let at = |file: &str| folder.path().join(file);
    fs::write(at("crt"), pem).unwrap();
    fs::write(at("key"), key.serialize_pem()).unwrap();
    fs::set_permissions(at("key"), fs::Permissions::from_mode(0o600)).unwrap();
    TlsIdentity::load(&at("crt"), &at("key")).unwrap()
}

/// One that signs itself and is good in these years only.
fn dated(from: i32, to: i32) -> TlsIdentity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["leaf".to_owned()]).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    identity(&params.self_signed(&key).unwrap().pem(), &key)
}

#[test]
fn a_wrong_key_is_told_on_both_sides() {
    let (leaf, hub, other) = (made("leaf"), made("hub"), made("other"));
    let (call, answer) = meet((&leaf, pin(&other)), (&hub, pin(&leaf)));
    assert_eq!(
        fault(call),
        format!(
            "the other side shows the key {}, which is unknown; mend",
            hub.fingerprint()
        )
    );
    let told = fault(answer);
    assert!(
        told.starts_with("the other side refuses our certificate (AccessDenied)"),
        "{told}"
    );
    assert!(told.ends_with(&format!("pin our key, {}", hub.fingerprint())));

    let (call, answer) = meet((&leaf, pin(&hub)), (&hub, pin(&other)));
    assert!(fault(answer).contains(&leaf.fingerprint().to_string()));
    // For the caller the handshake is over before that is looked at; the first thing it hears is why not.
    let error = first(&mut call.unwrap()).unwrap_err().to_string();
    assert!(
        error.ends_with(&format!("pin our key, {}", leaf.fingerprint())),
        "{error}"
    );
    // Who pins nobody and trusts nobody believes nobody.
    let (call, _) = meet((&leaf, TlsTrust::default()), (&hub, pin(&leaf)));
    assert!(fault(call).contains("which is unknown"));
}

#[test]
fn a_key_that_is_pinned_with_others_is_known() {
    let (leaf, hub, old) = (made("leaf"), made("hub"), made("old"));
    let mut both = pin(&old);
    both.pins.push(hub.fingerprint());
    let (call, answer) = meet((&leaf, both), (&hub, pin(&leaf)));
    assert!(call.is_ok() && answer.is_ok());
}

#[test]
fn certificates_out_of_date_are_refused_though_the_key_is_pinned() {
    let hub = made("hub");
    for (dates, told) in [
        (dated(1999, 2001), "has expired on 2001-01-01"),
        (
            dated(4000, 4001),
            "is not valid before 4000-01-01; look at the clock",
        ),
    ] {
        let (call, answer) = meet((&dates, pin(&hub)), (&hub, pin(&dates)));
        assert!(fault(answer).contains(told));
        let error = first(&mut call.unwrap()).unwrap_err().to_string();
        assert!(
            error.contains("says that our certificate has expired"),
            "{error}"
        );
        let (call, answer) = meet((&hub, pin(&dates)), (&dates, pin(&hub)));
        assert!(fault(call).contains(told));
        assert!(fault(answer).contains("says that our certificate has expired"));
    }
}

#[test]
fn a_pinned_key_may_be_that_of_any_certificate() {
    // `openssl req -x509` makes certificates of authorities.
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["hub".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let hub = identity(&params.self_signed(&key).unwrap().pem(), &key);
    let leaf = made("leaf");
    let (call, answer) = meet((&leaf, pin(&hub)), (&hub, pin(&leaf)));
    assert!(call.is_ok() && answer.is_ok());
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(name: &str, by: &CertifiedIssuer<'static, KeyPair>) -> TlsIdentity {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    identity(&params.signed_by(&key, by).unwrap().pem(), &key)
}

fn believes(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> TlsTrust {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), authority.pem()).unwrap();
    TlsTrust {
        authorities: TlsTrust::read_authorities(file.path()).unwrap(),
        names: Some(vec![name.to_owned()]),
        mend: "mend".into(),
        ..TlsTrust::default()
    }
}

#[test]
fn an_authority_is_believed_for_the_name_it_has_signed() {
    let (ours, another) = (authority("ours"), authority("another"));
    let (leaf, hub) = (signed("leaf", &ours), signed("hub", &ours));
    let (call, answer) = meet(
        (&leaf, believes(&ours, "hub")),
        (&hub, believes(&ours, "leaf")),
    );
    assert!(call.unwrap().peer().unwrap().by_authority);
    let answer = answer.unwrap();
    let peer = answer.peer().unwrap();
    assert!(peer.is_named("leaf") && peer.is_named("LEAF") && !peer.is_named("hub"));
    assert!(!peer.is_named("not a name"));

    let (call, _) = meet((&leaf, believes(&another, "hub")), (&hub, pin(&leaf)));
    assert!(fault(call).contains("which is unknown; mend"));
    let (call, _) = meet((&leaf, believes(&ours, "other")), (&hub, pin(&leaf)));
    let told = fault(call);
    assert!(told.contains("is not one for other; mend"), "{told}");
    let (_, answer) = meet((&leaf, pin(&hub)), (&hub, believes(&another, "leaf")));
    assert!(fault(answer).contains("which is unknown; mend"));
    // A certificate that only signs itself is nobody's.
    let (_, answer) = meet((&made("leaf"), pin(&hub)), (&hub, believes(&ours, "leaf")));
    assert!(fault(answer).contains("which is unknown; mend"));
}

#[test]
fn key_and_certificate_are_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |file: &str| folder.path().join(file);
    let (certificate, key) = (at("tls.crt"), at("tls.key"));
    let make = || TlsIdentity::load_or_make(&certificate, &key, "leaf", folder.path());
    let load = || TlsIdentity::load(&certificate, &key);
    let told = load().unwrap_err().to_string();
    assert!(
        told.contains("tls.crt; 'uucico --certificate' makes"),
        "{told}"
    );
    let first = make().unwrap().fingerprint();
    let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&certificate), mode(&key)), (0o644, 0o600));
    assert_eq!(make().unwrap().fingerprint(), first);
    // The certificate can be made again: neighbours know the key.
    fs::remove_file(&certificate).unwrap();
    assert_eq!(make().unwrap().fingerprint(), first);
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["tls.crt", "tls.key"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let told = load().unwrap_err().to_string();
    assert!(
        told.contains("tls.key: everybody can read this key; chmod 600"),
        "{told}"
    );
    // A certificate without its key: neighbours have pinned a key that is lost, which is not for us to hide.
    fs::remove_file(&key).unwrap();
    let told = make().unwrap_err().to_string();
    assert!(
        told.starts_with(&format!("there is no {}", key.display())),
        "{told}"
    );
    for (text, told) in [("", "no certificate in it"), ("-----BEGIN", "tls.crt: ")] {
        fs::write(&certificate, text).unwrap();
        let fault = load().unwrap_err().to_string();
        assert!(fault.contains(told), "{fault}");
    }
}

#[test]
fn a_key_of_another_certificate_is_told() {
    let (one, two) = (made("one"), made("two"));
    let mut mixed = one;
    mixed.key = two.key.clone_key();
    let (near, _far) = sockets();
    let line = accepted_port(near).unwrap();
    let told = fault(TlsPort::call(line, &mixed, pin(&two), "hub", patience()));
    assert!(
        told.contains("do 'certificate' and 'key' of the port belong together"),
        "{told}"
    );
}
