//! TLS 1.3 over another line: both sides show a certificate, and nothing of a call passes before both are believed.
//!
//! The line below is any port (a TCP connection, a socket as standard input), so calling and answering are the same. What has
//! been read from it and waits decrypted, or is encrypted and waits to be written, is told by [`Port::holds`]: `poll(2)` knows
//! of neither. No sessions are resumed: who is believed is asked anew in every call. RFC 8446.

mod fault;
mod identity;
mod shown;
mod trust;

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{DnsName, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

pub use fault::TlsFault;
pub use identity::TlsIdentity;
use shown::Shown;
use trust::Verifier;
pub use trust::{TlsPeer, TlsTrust};

use super::{Held, LineTraits, Port, PortRead, wait};
use crate::config::mail::Fingerprint;

/// How long a handshake may take: three flights, which a slow line carries in seconds.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(30);
/// How long the last bytes may take to leave.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// How much is read from the line at a time.
const WIRE: usize = 64 * 1024;
/// How often the line is read before it is said that nothing came.
const READS: usize = 16;
/// How much is encrypted before it has to have left: one record.
const RECORD: usize = 16 * 1024;
/// Stands where a host's name would; it is not sent.
const NO_NAME: &str = "uucp.invalid";

/// An encrypted line.
pub struct TlsPort {
    line: Box<dyn Port>,
    session: Connection,
    verifier: Arc<Verifier>,
    /// The key that we have shown.
    ours: Fingerprint,
    wire: Wire,
    /// More can be read without a wait.
    more: bool,
    /// What came behind the bytes that were read last.
    fault: Option<TlsFault>,
}

/// Bytes from the line that the session has not had yet.
struct Wire {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// The line as something that [`rustls`] writes to.
struct Outlet<'a>(&'a mut dyn Port);

impl Write for Outlet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// When a handshake ends though it is not through.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    /// The moment.
    pub deadline: Instant,
    /// A descriptor that can be read when something has happened, and whether that is to end it.
    pub interrupt: Option<(BorrowedFd<'a>, &'a dyn Fn() -> bool)>,
}

impl TlsPort {
    /// Calls: `host` is told to the other side if it is a name.
    ///
    /// # Errors
    /// When our own key is of no use, or either side does not believe the other.
    pub fn call(
        line: Box<dyn Port>,
        identity: &TlsIdentity,
        trust: TlsTrust,
        host: &str,
        patience: Patience<'_>,
    ) -> Result<Self, TlsFault> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(trust, provider.clone()));
        let shown = Shown::new(identity, &provider).map_err(|error| unusable(&error))?;
        let shown = Arc::new(shown);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable(&error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_cert_resolver(shown.clone());
        config.resumption = Resumption::disabled();
        let name = DnsName::try_from(host.to_owned());
        config.enable_sni = name.is_ok();
        let name = name.map_or_else(|_| ServerName::try_from(NO_NAME), |name| Ok(name.into()));
        let name = name.map_err(|error| TlsFault::Other(error.to_string()))?;
        let session =
            ClientConnection::new(Arc::new(config), name).map_err(|error| unusable(&error))?;
        let mut port = Self::open(line, session.into(), verifier, identity, patience)?;
        if !shown.was_asked_for() {
            port.hang_up();
            return Err(TlsFault::NotAsked);
        }
        Ok(port)
    }

    /// Answers.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn answer(
        line: Box<dyn Port>,
        identity: &TlsIdentity,
        trust: TlsTrust,
        patience: Patience<'_>,
    ) -> Result<Self, TlsFault> {
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(trust, provider.clone()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable(&error))?
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(|error| unusable(&error))?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let session = ServerConnection::new(Arc::new(config)).map_err(|error| unusable(&error))?;
        Self::open(line, session.into(), verifier, identity, patience)
    }

    fn open(
        line: Box<dyn Port>,
        session: Connection,
        verifier: Arc<Verifier>,
        identity: &TlsIdentity,
        patience: Patience<'_>,
    ) -> Result<Self, TlsFault> {
        let mut port = Self {
            line,
            session,
            verifier,
            ours: identity.fingerprint(),
            wire: Wire {
                bytes: vec![0; WIRE],
                start: 0,
                end: 0,
            },
            more: false,
            fault: None,
        };
        match port.shake_hands(patience) {
            Ok(()) => {
                // What came with the last flight may be the first words of the call.
                port.more = true;
                Ok(port)
            }
            Err(fault) => {
                // The other side is to read why.
                let _ = port.flush();
                port.line.hang_up();
                Err(fault)
            }
        }
    }

    /// Who the other side is.
    #[must_use]
    pub fn peer(&self) -> Option<&TlsPeer> {
        self.verifier.peer()
    }

    fn shake_hands(&mut self, patience: Patience<'_>) -> Result<(), TlsFault> {
        loop {
            self.flush()?;
            let writing = self.session.wants_write();
            if !self.session.is_handshaking() && !writing {
                return Ok(());
            }
            let Patience {
                deadline,
                interrupt,
            } = patience;
            let watched = interrupt.map(|(descriptor, _)| descriptor);
            let ready = wait(self.line.descriptors(), writing, watched, Some(deadline))?;
            if ready.interrupted && interrupt.is_some_and(|(_, ends)| ends()) {
                return Err(TlsFault::Interrupted);
            }
            if ready.readable && self.session.is_handshaking() {
                self.hear()?;
            }
            let open = self.session.is_handshaking() || self.session.wants_write();
            if open && Instant::now() >= deadline {
                // However busily the other side sends a byte now and then.
                return Err(TlsFault::TimedOut);
            }
        }
    }

    /// One piece of the handshake.
    fn hear(&mut self) -> Result<(), TlsFault> {
        match self.line.read(&mut self.wire.bytes)? {
            PortRead::Bytes(count) => (self.wire.start, self.wire.end) = (0, count),
            PortRead::Nothing => return Ok(()),
            PortRead::HangUp => return Err(TlsFault::HungUp),
        }
        while self.session.is_handshaking() && !self.wire.rest().is_empty() {
            self.decrypt()?;
        }
        Ok(())
    }

    /// Hands bytes of the line to the session.
    fn decrypt(&mut self) -> Result<(), TlsFault> {
        let mut rest = self.wire.rest();
        let count = self.session.read_tls(&mut rest)?;
        self.wire.start += count;
        let greeting = self.session.is_handshaking();
        match self.session.process_new_packets() {
            Ok(_) => Ok(()),
            Err(error) => Err(match self.verifier.refusal() {
                Some(reason) => TlsFault::Unknown(reason.to_owned()),
                None => TlsFault::of(&error, self.ours, greeting),
            }),
        }
    }

    /// Gets more for the session to decrypt; false: there is nothing now.
    fn fetch(&mut self, again: bool) -> Result<bool, TlsFault> {
        if self.wire.rest().is_empty() {
            if !again {
                return Ok(false);
            }
            let count = match self.line.read(&mut self.wire.bytes)? {
                PortRead::Bytes(count) => count,
                PortRead::Nothing => return Ok(false),
                PortRead::HangUp => {
                    // Whether that was the end is for the session to say.
                    self.session.read_tls(&mut io::empty())?;
                    return Ok(true);
                }
            };
            (self.wire.start, self.wire.end) = (0, count);
        }
        self.decrypt()?;
        Ok(true)
    }

    /// Reads until the buffer is full or nothing is left here.
    ///
    /// What comes may be records with nothing in them, as fast as they are read: whoever waits for bytes has times to keep, and is
    /// told of nothing soon.
    fn fill(&mut self, buffer: &mut [u8], filled: &mut usize) -> Result<PortRead, TlsFault> {
        let mut reads = READS;
        while *filled < buffer.len() {
            let room = buffer.get_mut(*filled..).unwrap_or_default();
            match self.session.reader().read(room) {
                Ok(0) => return Ok(PortRead::HangUp),
                Ok(count) => *filled += count,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        if let Some(fault) = self.fault.take() {
                            return Err(fault);
                        }
                        let again = *filled == 0 && reads > 0;
                        reads = reads.saturating_sub(usize::from(self.wire.rest().is_empty()));
                        match self.fetch(again) {
                            Ok(true) => {}
                            Ok(false) => return Ok(PortRead::Nothing),
                            // What came before it, in the same piece, is read first.
                            Err(fault) => self.fault = Some(fault),
                        }
                    }
                    io::ErrorKind::UnexpectedEof => return Err(TlsFault::Cut),
                    _ => return Err(error.into()),
                },
            }
        }
        Ok(PortRead::Bytes(*filled))
    }

    /// Writes what is encrypted, as far as the line takes it.
    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Outlet(&mut *self.line)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Wire {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// Our own key or certificate is of no use.
fn unusable(error: &rustls::Error) -> TlsFault {
    TlsFault::Other(format!(
        "our certificate and key cannot be used: {error}; do 'certificate' and 'key' of the port belong together?"
    ))
}

impl Port for TlsPort {
    fn traits(&self) -> LineTraits {
        self.line.traits()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<PortRead> {
        let mut filled = 0;
        let found = self.fill(buffer, &mut filled);
        // A farewell behind the bytes is found again when the next are asked for.
        self.more = filled > 0 && !matches!(found, Ok(PortRead::Nothing));
        if found.is_err() {
            // The other side is to read why.
            let _ = self.flush();
        }
        match found {
            Ok(_) if filled > 0 => Ok(PortRead::Bytes(filled)),
            Ok(found) => Ok(found),
            Err(fault) if filled > 0 => {
                self.fault = Some(fault);
                Ok(PortRead::Bytes(filled))
            }
            Err(fault) => Err(fault.into_io()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let mut taken = 0;
        while taken < bytes.len() && !self.session.wants_write() {
            let rest = bytes.get(taken..).unwrap_or_default();
            let piece = rest.get(..RECORD).unwrap_or(rest);
            taken += self.session.writer().write(piece)?;
            self.flush()?;
        }
        Ok(taken)
    }

    fn holds(&self) -> Held {
        Held {
            input: self.more,
            output: self.session.wants_write(),
        }
    }

    fn is_plain(&self) -> bool {
        false
    }

    fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        self.line.descriptors()
    }

    fn hang_up(&mut self) {
        self.session.send_close_notify();
        let deadline = Instant::now() + CLOSE_LIMIT;
        while self.flush().is_ok() && self.session.wants_write() && Instant::now() < deadline {
            if wait(self.line.descriptors(), true, None, Some(deadline)).is_err() {
                break;
            }
        }
        self.line.hang_up();
    }
}

#[cfg(test)]
mod tests;
