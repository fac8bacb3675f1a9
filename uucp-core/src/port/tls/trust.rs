//! Whom we believe: a key that is pinned, or a certificate that an authority has signed for the right name. Nobody else, and
//! nobody for being the first.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};
use webpki::{EndEntityCert, KeyUsage};

use super::TlsFault;
use super::identity::{fingerprint_of, read_certificates};
use crate::config::mail::Fingerprint;

/// Whom we believe.
#[derive(Debug, Clone, Default)]
pub struct TlsTrust {
    /// Keys that are known.
    pub pins: Vec<Fingerprint>,
    /// Whose signature is believed where no key is pinned.
    pub authorities: Vec<TrustAnchor<'static>>,
    /// The names that a signed certificate may have; `None`: they are looked at later, when the caller has said who it is.
    pub names: Option<Vec<String>>,
    /// Who it should be and where that is written, for what is told of a stranger.
    pub mend: String,
}

impl TlsTrust {
    /// The authorities of a file, in PEM.
    ///
    /// # Errors
    /// When it cannot be read or holds something else.
    pub fn read_authorities(file: &Path) -> Result<Vec<TrustAnchor<'static>>, TlsFault> {
        let certificates = read_certificates(file)?;
        let anchors = certificates.iter().map(|one| {
            let anchor = webpki::anchor_from_trusted_cert(one);
            anchor.map(|anchor| anchor.to_owned())
        });
        let anchors: Result<Vec<_>, _> = anchors.collect();
        anchors.map_err(|error| TlsFault::File {
            file: file.to_owned(),
            reason: format!("not the certificate of an authority ({error})"),
        })
    }
}

/// What the other side has shown, and that it has the key.
#[derive(Debug, Clone)]
pub struct TlsPeer {
    certificate: CertificateDer<'static>,
    /// Its key.
    pub key: Fingerprint,
    /// Whether one of the authorities has signed it.
    pub by_authority: bool,
}

impl TlsPeer {
    /// Whether the certificate is one for this name.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        is_named(&self.certificate, name)
    }
}

fn is_named(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let Ok(name) = ServerName::try_from(name) else {
        return false;
    };
    EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(&name).is_ok())
}

/// Judges certificates in the handshake.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: TlsTrust,
    provider: Arc<CryptoProvider>,
    /// Why one was not believed, in our words.
    refusal: OnceLock<String>,
    /// One that was.
    peer: OnceLock<TlsPeer>,
}

impl Verifier {
    pub(super) fn new(trust: TlsTrust, provider: Arc<CryptoProvider>) -> Self {
        Self {
            trust,
            provider,
            refusal: OnceLock::new(),
            peer: OnceLock::new(),
        }
    }

    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.get().map(String::as_str)
    }

    pub(super) fn peer(&self) -> Option<&TlsPeer> {
        self.peer.get()
    }

    fn judge(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<(), Error> {
        match self.weigh(shown, chain, now, usage) {
            Ok(peer) => {
                let _ = self.peer.set(peer);
                Ok(())
            }
            Err((error, reason)) => {
                let _ = self.refusal.set(reason);
                Err(Error::InvalidCertificate(error))
            }
        }
    }

    fn weigh(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<TlsPeer, (CertificateError, String)> {
        let key = fingerprint_of(shown).map_err(|reason| {
            let reason = format!("the other side shows {reason}");
            (CertificateError::BadEncoding, reason)
        })?;
        let peer = |by_authority| TlsPeer {
            certificate: shown.clone().into_owned(),
            key,
            by_authority,
        };
        let pinned = self.trust.pins.contains(&key);
        // Who pins the key does not ask who has signed the certificate, only whether it is still good.
        let (authorities, chain) = if pinned {
            (&[][..], &[][..])
        } else {
            (self.trust.authorities.as_slice(), chain)
        };
        let stranger = || {
            let mend = &self.trust.mend;
            let reason = format!("the other side shows the key {key}, which is unknown; {mend}");
            (CertificateError::ApplicationVerificationFailure, reason)
        };
        if !pinned && authorities.is_empty() {
            return Err(stranger());
        }
        let end_entity = EndEntityCert::try_from(shown)
            .map_err(|error| (CertificateError::BadEncoding, error.to_string()))?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let verified =
            end_entity.verify_for_usage(algorithms, authorities, chain, now, usage, None, None);
        match verified {
            Ok(_) => {}
            Err(error) if is_about_time(&error) => return Err(out_of_date(key, &error)),
            Err(error) if pinned && says_nothing_of_a_pin(&error) => return Ok(peer(false)),
            Err(webpki::Error::UnknownIssuer) => return Err(stranger()),
            Err(error) => {
                let reason = format!(
                    "the certificate of the other side is not good ({error}); its key is {key}"
                );
                return Err((CertificateError::ApplicationVerificationFailure, reason));
            }
        }
        match &self.trust.names {
            Some(names) if !names.iter().any(|name| is_named(shown, name)) => {
                let wanted = names.join(" or ");
                let mend = &self.trust.mend;
                let reason =
                    format!("the certificate of the other side is not one for {wanted}; {mend}");
                Err((CertificateError::NotValidForName, reason))
            }
            _ => Ok(peer(true)),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }
}

fn is_about_time(error: &webpki::Error) -> bool {
    matches!(
        error,
        webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. }
    )
}

fn out_of_date(key: Fingerprint, error: &webpki::Error) -> (CertificateError, String) {
    let day = |time: &UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let moment = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
        moment.strftime("%Y-%m-%d").to_string()
    };
    let (error, said, mend) = match error {
        webpki::Error::CertNotValidYet { not_before, .. } => (
            CertificateError::NotValidYet,
            format!("is not valid before {}", day(not_before)),
            "look at the clock of this machine",
        ),
        webpki::Error::CertExpired { not_after, .. } => (
            CertificateError::Expired,
            format!("has expired on {}", day(not_after)),
            "it needs a new one there; if that has the same key, nothing changes here",
        ),
        _ => (CertificateError::Expired, "is out of date".to_owned(), ""),
    };
    let reason = format!("the certificate of the other side (key {key}) {said}; {mend}");
    (error, reason)
}

/// What is wrong with a certificate only in the eyes of those who want an authority's signature.
fn says_nothing_of_a_pin(error: &webpki::Error) -> bool {
    matches!(
        error,
        webpki::Error::UnknownIssuer
            | webpki::Error::CaUsedAsEndEntity
            | webpki::Error::RequiredEkuNotFoundContext(_)
    )
}

/// Never asked: no older version is offered.
fn old_version() -> Error {
    PeerIncompatible::Tls12NotOfferedOrEnabled.into()
}

/// What both traits ask in the same way.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _certificate: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(old_version())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.check_signature(message, certificate, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider
                .signature_verification_algorithms
                .supported_schemes()
        }
    };
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(end_entity, intermediates, now, KeyUsage::server_auth())?;
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(end_entity, intermediates, now, KeyUsage::client_auth())?;
        Ok(ClientCertVerified::assertion())
    }

    signatures!();
}
