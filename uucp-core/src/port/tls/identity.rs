//! What we show: a certificate and its key, made here when there is none.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use nix::unistd::geteuid;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use webpki::EndEntityCert;

use super::TlsFault;
use crate::config::mail::Fingerprint;
use crate::config::trust;

/// Largest file read: a long chain has a few ten thousand bytes.
const FILE_LIMIT: u64 = 1 << 20;
/// The key belongs to its owner alone.
const KEY_MODE: u32 = 0o600;
/// Everybody may see the certificate: it is shown to everybody.
const CERTIFICATE_MODE: u32 = 0o644;

/// Our certificate and its key.
#[derive(Debug)]
pub struct TlsIdentity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    fingerprint: Fingerprint,
}

impl TlsIdentity {
    /// Reads both, in PEM.
    ///
    /// # Errors
    /// When one is missing or is not what it should be, or when others can write it, or everybody can read the key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsFault> {
        let chain = read_certificates(certificate)?;
        let text = read(key, true)?;
        let key = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|error| wrong(key, format!("no private key in it ({error})")))?;
        let own = chain.first().map(fingerprint_of).transpose();
        let own = own.map_err(|reason| wrong(certificate, reason))?;
        let fingerprint = own.ok_or_else(|| wrong(certificate, "no certificate in it".into()))?;
        Ok(Self {
            chain,
            key,
            fingerprint,
        })
    }

    /// Reads both, after making what is missing: a key, and a certificate for it that is signed by itself. A certificate without
    /// its key is an error: to make another key would lock out every neighbour that has pinned this one. What root makes
    /// belongs to the owner of the folder `like`.
    ///
    /// # Errors
    /// As [`load`](Self::load), and when a file cannot be written.
    pub fn load_or_make(
        certificate: &Path,
        key: &Path,
        name: &str,
        like: &Path,
    ) -> Result<Self, TlsFault> {
        if !exists(certificate)? {
            if !exists(key)? {
                make_key(key, like)?;
            }
            make_certificate(certificate, key, name, like)?;
        }
        Self::load(certificate, key)
    }

    /// What neighbours pin.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// The certificates of a file, in PEM.
pub(super) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let text = read(file, false)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|error| wrong(file, format!("not in PEM ({error})")))?;
    if all.is_empty() {
        return Err(wrong(file, "no certificate in it".into()));
    }
    Ok(all)
}

/// The fingerprint of a certificate's key; or why it has none.
pub(super) fn fingerprint_of(certificate: &CertificateDer<'_>) -> Result<Fingerprint, String> {
    let certificate = EndEntityCert::try_from(certificate)
        .map_err(|error| format!("a certificate that cannot be understood ({error})"))?;
    Ok(Fingerprint::of(&certificate.subject_public_key_info()))
}

fn wrong(file: &Path, reason: String) -> TlsFault {
    TlsFault::File {
        file: file.to_owned(),
        reason,
    }
}

fn read(file: &Path, secret: bool) -> Result<Vec<u8>, TlsFault> {
    let opened = trust::open(file).map_err(|error| TlsFault::Other(error.to_one_line()))?;
    let open = opened.ok_or_else(|| TlsFault::Missing(file.to_owned()))?;
    let failed = |error: io::Error| wrong(file, error.to_string());
    let mode = open.metadata().map_err(failed)?.mode();
    if secret && mode & 0o007 != 0 {
        let mend = "everybody can read this key; chmod 600, and better make a new one";
        return Err(wrong(file, mend.into()));
    }
    let mut text = Vec::new();
    open.take(FILE_LIMIT)
        .read_to_end(&mut text)
        .map_err(failed)?;
    Ok(text)
}

fn exists(file: &Path) -> Result<bool, TlsFault> {
    file.try_exists()
        .map_err(|error| wrong(file, error.to_string()))
}

fn make_key(file: &Path, like: &Path) -> Result<(), TlsFault> {
    let pair = KeyPair::generate().map_err(|error| wrong(file, error.to_string()))?;
    write(file, pair.serialize_pem().as_bytes(), KEY_MODE, like)
}

/// Its dates say nothing: a machine without a clock of its own may think that it is 1970, and nobody but the neighbours decides
/// how long the key is good for.
fn make_certificate(file: &Path, key: &Path, name: &str, like: &Path) -> Result<(), TlsFault> {
    let failed = |error: rcgen::Error| wrong(file, error.to_string());
    let text = String::from_utf8(read(key, true)?)
        .map_err(|_| wrong(key, "no private key in it".into()))?;
    let pair = KeyPair::from_pem(&text)
        .map_err(|error| wrong(key, format!("no private key in it ({error})")))?;
    // A system's name that is no DNS name cannot stand where DNS names stand; pins do not ask for it.
    let mut params = CertificateParams::new([name.to_owned()])
        .or_else(|_| CertificateParams::new([]))
        .map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    let certificate = params.self_signed(&pair).map_err(failed)?;
    write(file, certificate.pem().as_bytes(), CERTIFICATE_MODE, like)
}

/// Writes a whole file, durable, and never over another: who loses a race uses what the winner has made.
fn write(file: &Path, content: &[u8], mode: u32, like: &Path) -> Result<(), TlsFault> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |error: io::Error| wrong(file, error.to_string());
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = folder.join(name);
    let _ = fs::remove_file(&temporary);
    let written = write_new(&temporary, content, mode, like).and_then(|()| {
        match fs::hard_link(&temporary, file) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    });
    let _ = fs::remove_file(&temporary);
    written.map_err(failed)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

fn write_new(file: &Path, content: &[u8], mode: u32, like: &Path) -> io::Result<()> {
    let mut open = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file)?;
    open.set_permissions(Permissions::from_mode(mode))?;
    if geteuid().is_root() {
        let owner = fs::metadata(like)?;
        fchown(&open, Some(owner.uid()), Some(owner.gid()))?;
    }
    open.write_all(content)?;
    open.sync_all()
}
