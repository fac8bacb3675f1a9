//! What serial lines and a terminal on standard input have in common.

use std::io;
use std::os::fd::AsFd;

use nix::sys::termios::{BaudRate, InputFlags, SetArg, cfgetospeed, tcgetattr, tcsetattr};

use crate::link::LineMode;

/// Sets a raw terminal as a link needs it. Nothing that is under way is thrown away.
pub(super) fn set_mode(terminal: impl AsFd, mode: LineMode) -> io::Result<()> {
    let mut settings = tcgetattr(terminal.as_fd())?;
    let flags = &mut settings.input_flags;
    flags.set(InputFlags::IXON | InputFlags::IXOFF, mode.software_flow);
    // Held output goes on with XON alone: any other character would be data.
    flags.remove(InputFlags::IXANY);
    flags.set(InputFlags::ISTRIP, mode.seven_bit);
    Ok(tcsetattr(terminal, SetArg::TCSANOW, &settings)?)
}

/// The system's value for a speed in bits per second.
pub(super) fn baud_rate(speed: u32) -> Option<BaudRate> {
    let found = SPEEDS.iter().find(|(known, _)| *known == speed);
    found.map(|(_, rate)| *rate)
}

/// The speed that a terminal is set to, in bits per second.
pub(super) fn speed(terminal: impl AsFd) -> Option<u32> {
    let rate = cfgetospeed(&tcgetattr(terminal).ok()?);
    let found = SPEEDS.iter().find(|(_, known)| *known == rate);
    found.map(|(speed, _)| *speed)
}

const SPEEDS: [(u32, BaudRate); 26] = [
    (110, BaudRate::B110),
    (134, BaudRate::B134),
    (150, BaudRate::B150),
    (200, BaudRate::B200),
    (300, BaudRate::B300),
    (600, BaudRate::B600),
    (1200, BaudRate::B1200),
    (1800, BaudRate::B1800),
    (2400, BaudRate::B2400),
    (4800, BaudRate::B4800),
    (9600, BaudRate::B9600),
    (19_200, BaudRate::B19200),
    (38_400, BaudRate::B38400),
    (57_600, BaudRate::B57600),
    (115_200, BaudRate::B115200),
    (230_400, BaudRate::B230400),
    (460_800, BaudRate::B460800),
    (500_000, BaudRate::B500000),
    (576_000, BaudRate::B576000),
    (921_600, BaudRate::B921600),
    (1_000_000, BaudRate::B1000000),
    (1_152_000, BaudRate::B1152000),
    (1_500_000, BaudRate::B1500000),
    (2_000_000, BaudRate::B2000000),
    (3_000_000, BaudRate::B3000000),
    (4_000_000, BaudRate::B4000000),
];
