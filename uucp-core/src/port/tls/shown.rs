//! What a caller shows, and whether it was asked to show it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;

use super::TlsIdentity;

/// Our certificate, for whoever asks for it. RFC 8446 section 4.3.2.
#[derive(Debug)]
pub(super) struct Shown {
    key: Arc<CertifiedKey>,
    asked: AtomicBool,
}

impl Shown {
    /// # Errors
    /// When certificate and key do not belong together.
    pub(super) fn new(
        identity: &TlsIdentity,
        provider: &CryptoProvider,
    ) -> Result<Self, rustls::Error> {
        let (chain, key) = (identity.chain.clone(), identity.key.clone_key());
        Ok(Self {
            key: Arc::new(CertifiedKey::from_der(chain, key, provider)?),
            asked: AtomicBool::new(false),
        })
    }

    /// Whether the other side has asked for it.
    pub(super) fn was_asked_for(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        Some(self.key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
