//! Serial lines: a direct cable, or a modem.
//!
//! Taylor UUCP manual, *The Port Configuration File*. The line is raw from the beginning: eight bits, no parity, no echo,
//! no software flow control. Carrier is not asked for until a script or the configuration says so, since a modem that has
//! not dialed has none; from then on its loss ends the call, as a socket's end does.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{
    BaudRate, ControlFlags, FlushArg, SetArg, cfmakeraw, cfsetspeed, tcflush, tcgetattr,
    tcsendbreak, tcsetattr,
};

use super::line::Line;
use super::{LineTraits, Port, PortError, PortRead, terminal};
use crate::link::LineMode;

/// How long DTR stays down: longer than modems take for a glitch, shorter than a person would.
const DTR_DOWN: Duration = Duration::from_millis(500);
/// How often carrier is looked for while it is waited for: Linux gives no descriptor for it.
const LOOK: Duration = Duration::from_millis(100);

/// What is to be opened, and how.
#[derive(Debug, Clone)]
pub struct SerialTarget {
    /// The device's file.
    pub device: PathBuf,
    /// Bits per second; `None` and zero: as the line stands.
    pub speed: Option<u32>,
    /// Whether RTS and CTS hold the data up.
    pub hardware_flow: bool,
    /// How long carrier is waited for; `None` where the device does not know it.
    pub carrier: Option<Duration>,
    /// What the line is good for.
    pub traits: LineTraits,
}

/// An open serial line.
#[derive(Debug)]
pub struct SerialPort {
    line: Line,
    /// The same line once more, for its pins.
    pins: serial2::SerialPort,
    traits: LineTraits,
    carrier: Option<Duration>,
}

/// The device that a port's `device`, or its name, stands for: names without a slash are those of `/dev`.
#[must_use]
pub fn device_path(device: Option<&Path>, port: &str) -> PathBuf {
    Path::new("/dev").join(device.unwrap_or_else(|| Path::new(port)))
}

impl SerialPort {
    /// Opens the line, whatever it last was used for.
    ///
    /// # Errors
    /// [`PortError::Device`] when it cannot be opened or is no serial line, [`PortError::Speed`] when there is no such speed.
    pub fn open(target: &SerialTarget) -> Result<Self, PortError> {
        let failed = |source: io::Error| PortError::Device {
            device: target.device.clone(),
            source,
        };
        let speed = match target.speed {
            None | Some(0) => None,
            Some(speed) => Some(terminal::baud_rate(speed).ok_or_else(|| PortError::Speed {
                device: target.device.clone(),
                speed,
            })?),
        };
        // Not our controlling terminal, and not waiting for carrier.
        let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
        let file = File::options()
            .read(true)
            .write(true)
            .custom_flags(flags.bits())
            .open(&target.device)
            .map_err(failed)?;
        prepare(&file, speed, target.hardware_flow).map_err(failed)?;
        let mut traits = target.traits;
        traits.speed = terminal::speed(&file);
        let pair = || file.try_clone().map(OwnedFd::from);
        let (pins, output) = (pair().map_err(failed)?, pair().map_err(failed)?);
        Ok(Self {
            line: Line::new(file.into(), output, false).map_err(failed)?,
            pins: pins.into(),
            traits,
            carrier: target.carrier,
        })
    }

    /// Puts DTR down and up again, which makes a modem hang up and listen.
    pub fn toggle_dtr(&self, wait: bool) {
        // A line without such a pin is none the worse.
        if self.pins.set_dtr(false).is_ok() {
            std::thread::sleep(DTR_DOWN);
            let _ = self.pins.set_dtr(true);
            if wait {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }

    /// Whether there is carrier; a line that cannot tell (a pseudo terminal) is taken to have it.
    fn has_carrier(&self) -> bool {
        self.pins.read_cd().unwrap_or(true)
    }

    /// True once there is carrier; false when its time is over or `interrupt` can be read.
    fn await_carrier(
        &self,
        limit: Duration,
        interrupt: Option<BorrowedFd<'_>>,
    ) -> io::Result<bool> {
        let until = Instant::now() + limit;
        while !self.has_carrier() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let mut watched: Vec<_> = interrupt
                .into_iter()
                .map(|one| PollFd::new(one, PollFlags::POLLIN))
                .collect();
            let timeout = PollTimeout::try_from(left.min(LOOK)).unwrap_or(PollTimeout::ZERO);
            if poll(&mut watched, timeout)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Makes a line raw and ready, local and without carrier.
fn prepare(line: &File, speed: Option<BaudRate>, hardware_flow: bool) -> io::Result<()> {
    let mut settings = tcgetattr(line)?;
    cfmakeraw(&mut settings);
    let flags = &mut settings.control_flags;
    // Modems hang up when the last program has closed the line.
    flags.insert(ControlFlags::CREAD | ControlFlags::CLOCAL | ControlFlags::HUPCL);
    flags.remove(ControlFlags::CSTOPB | ControlFlags::PARENB);
    flags.set(ControlFlags::CRTSCTS, hardware_flow);
    if let Some(speed) = speed {
        cfsetspeed(&mut settings, speed)?;
    }
    tcsetattr(line, SetArg::TCSANOW, &settings)?;
    tcflush(line, FlushArg::TCIOFLUSH)?;
    Ok(())
}

impl Port for SerialPort {
    fn traits(&self) -> LineTraits {
        self.traits
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<PortRead> {
        self.line.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.write(bytes)
    }

    fn set_mode(&mut self, mode: LineMode) -> io::Result<()> {
        terminal::set_mode(&self.pins, mode)
    }

    fn send_break(&mut self) -> io::Result<()> {
        Ok(tcsendbreak(&self.pins, 0)?)
    }

    fn require_carrier(
        &mut self,
        required: bool,
        interrupt: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let Some(limit) = self.carrier else {
            return Ok(());
        };
        if required && !self.await_carrier(limit, interrupt)? {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "No carrier"));
        }
        let mut settings = tcgetattr(&self.pins)?;
        settings.control_flags.set(ControlFlags::CLOCAL, !required);
        Ok(tcsetattr(&self.pins, SetArg::TCSANOW, &settings)?)
    }

    fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        self.line.descriptors()
    }

    fn hang_up(&mut self) {
        // What a line that is held up has not taken by now would hold the close up as well.
        let _ = tcflush(self.pins.as_fd(), FlushArg::TCIFLUSH);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use nix::sys::termios::{InputFlags, LocalFlags, cfgetospeed};
    use nix::unistd::ttyname;

    use super::*;
    use crate::pty::open_pty;

    /// A pseudo terminal's two ends: ours as a device, and the other.
    fn line() -> (SerialTarget, File, OwnedFd) {
        let pty = open_pty();
        let target = SerialTarget {
            device: ttyname(&pty.slave).unwrap(),
            speed: Some(9600),
            hardware_flow: true,
            carrier: None,
            traits: LineTraits::PIPE,
        };
        (target, pty.master.into(), pty.slave)
    }

    #[test]
    fn every_byte_passes_both_ways() {
        let (target, mut other, _kept) = line();
        let mut port = SerialPort::open(&target).unwrap();
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(port.write(&all).unwrap(), all.len());
        let mut seen = vec![0; all.len()];
        other.read_exact(&mut seen).unwrap();
        assert_eq!(seen, all);
        other.write_all(&all).unwrap();
        let (mut got, mut buffer) = (Vec::new(), [0; 64]);
        while got.len() < all.len() {
            match port.read(&mut buffer).unwrap() {
                PortRead::Bytes(count) => got.extend_from_slice(&buffer[..count]),
                PortRead::Nothing => std::thread::yield_now(),
                PortRead::HangUp => panic!("nobody has hung up"),
            }
        }
        assert_eq!(got, all);
    }

    #[test]
    fn the_line_has_the_settings_that_were_asked_for() {
        let (target, _other, slave) = line();
        let port = SerialPort::open(&target).unwrap();
        let settings = tcgetattr(&slave).unwrap();
        assert_eq!(cfgetospeed(&settings), BaudRate::B9600);
        assert_eq!(port.traits().speed, Some(9600));
        assert!(!settings.local_flags.contains(LocalFlags::ECHO));
        assert!(!settings.input_flags.contains(InputFlags::IXON));
        let control = settings.control_flags;
        assert!(control.contains(ControlFlags::CRTSCTS | ControlFlags::CLOCAL));
        assert!(control.contains(ControlFlags::HUPCL | ControlFlags::CS8));
    }

    /// What comes in until `last` has.
    fn read_until(port: &mut SerialPort, last: u8) -> Vec<u8> {
        let (mut got, mut buffer) = (Vec::new(), [0; 64]);
        while !got.contains(&last) {
            if let PortRead::Bytes(count) = port.read(&mut buffer).unwrap() {
                got.extend_from_slice(&buffer[..count]);
            }
            std::thread::yield_now();
        }
        got
    }

    #[test]
    fn with_software_flow_the_other_side_holds_the_output_up() {
        let (target, mut other, _kept) = line();
        let mut port = SerialPort::open(&target).unwrap();
        port.set_mode(LineMode {
            software_flow: true,
            seven_bit: true,
        })
        .unwrap();
        // What follows XOFF has come, so XOFF has been seen.
        other.write_all(b"\x13\xe1").unwrap();
        assert_eq!(read_until(&mut port, b'a'), b"a");
        assert_eq!(port.write(b"held").unwrap(), 0);
        other.write_all(b"\x11b").unwrap();
        assert_eq!(read_until(&mut port, b'b'), b"b");
        assert_eq!(port.write(b"free").unwrap(), 4);
        port.set_mode(LineMode::default()).unwrap();
        other.write_all(b"\x13\x11\xe1").unwrap();
        assert_eq!(read_until(&mut port, 0xe1), b"\x13\x11\xe1");
    }

    #[test]
    fn carrier_is_required_once_it_is_there() {
        let (mut target, _other, slave) = line();
        target.carrier = Some(Duration::ZERO);
        let mut port = SerialPort::open(&target).unwrap();
        // A pseudo terminal has no such pin and is taken to have carrier.
        port.require_carrier(true, None).unwrap();
        let control = || tcgetattr(&slave).unwrap().control_flags;
        assert!(!control().contains(ControlFlags::CLOCAL));
        port.require_carrier(false, None).unwrap();
        assert!(control().contains(ControlFlags::CLOCAL));
    }

    #[test]
    fn the_end_of_the_other_side_is_a_hang_up() {
        let (target, other, kept) = line();
        let mut port = SerialPort::open(&target).unwrap();
        drop(kept);
        drop(other);
        // A program that another test starts just then has a copy of it until it is executed.
        let read = || {
            std::thread::yield_now();
            port.read(&mut [0; 8]).unwrap()
        };
        let said = std::iter::repeat_with(read).find(|read| *read != PortRead::Nothing);
        assert_eq!(said, Some(PortRead::HangUp));
    }

    #[test]
    fn what_cannot_be_a_line_is_named() {
        let mut target = SerialTarget {
            device: "/dev/null".into(),
            ..line().0
        };
        let error = SerialPort::open(&target).unwrap_err().to_string();
        assert!(error.starts_with("/dev/null: "), "{error}");
        target.speed = Some(9601);
        let error = SerialPort::open(&target).unwrap_err().to_string();
        assert_eq!(
            error,
            "/dev/null: no serial line runs at 9601 bits per second"
        );
        assert_eq!(device_path(None, "ttyS0"), Path::new("/dev/ttyS0"));
        assert_eq!(device_path(Some(Path::new("/x/y")), "a"), Path::new("/x/y"));
    }
}
