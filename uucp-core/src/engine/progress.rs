//! One line on a terminal that shows how far a call is.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line changes.
const PERIOD: Duration = Duration::from_millis(250);

/// The line; off when nobody watches.
#[derive(Debug)]
pub(super) struct Progress {
    shown: Option<Instant>,
    on: bool,
    drawn: bool,
    files: u64,
    sent: u64,
    received: u64,
}

impl Progress {
    /// Nothing is shown.
    pub(super) fn off() -> Self {
        Self {
            shown: None,
            on: false,
            drawn: false,
            files: 0,
            sent: 0,
            received: 0,
        }
    }

    /// Shown if standard error is a terminal.
    pub(super) fn on_terminal() -> Self {
        Self {
            on: std::io::stderr().is_terminal(),
            ..Self::off()
        }
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
        self.draw();
    }

    pub(super) fn received(&mut self, bytes: u64) {
        self.received += bytes;
        self.draw();
    }

    pub(super) fn file(&mut self) {
        self.files += 1;
        self.draw();
    }

    fn draw(&mut self) {
        if !self.on || self.shown.is_some_and(|at| at.elapsed() < PERIOD) {
            return;
        }
        self.shown = Some(Instant::now());
        self.drawn = true;
        let mut stderr = std::io::stderr().lock();
        let _ = write!(
            stderr,
            "\r\x1b[K{} files, {} sent, {} received",
            self.files,
            human(self.sent),
            human(self.received)
        );
        let _ = stderr.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let _ = writeln!(std::io::stderr());
        }
    }
}

/// `1.5 MB`
fn human(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    for (unit, size) in units {
        if bytes >= size {
            let tenths = bytes.saturating_mul(10) / size;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_units() {
        assert_eq!(human(999), "999 bytes");
        assert_eq!(human(1500), "1.5 kB");
        assert_eq!(human(268_435_456), "268.4 MB");
        assert_eq!(human(u64::MAX), "1844674407.3 GB");
    }
}
