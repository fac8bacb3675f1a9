//! Opening a port: which ports a system may be called over, the lock of a device, the line itself.

use std::path::Path;
use std::time::Duration;

use super::dial::{Dialing, NoPlan};
use super::encryption;
use super::signals::Signals;
use crate::config::{
    Config, ConfigError, DirectPort, ModemPort, PortChoice, PortConfig, PortKind, Settings,
};
use crate::name::SystemName;
use crate::port::{
    LineTraits, PipePort, Port, PortError, SerialPort, SerialTarget, StdioPort, TcpTarget, connect,
    device_path,
};
use crate::spool::{LockError, PidLock, Spool};

/// How long a modem waits for carrier that nobody has asked for: as good as without end.
const UNTIL_SOMEBODY_CALLS: Duration = Duration::from_hours(24 * 365);

/// An open port.
pub(super) struct Opened {
    /// The line.
    pub(super) line: Box<dyn Port>,
    /// Another device to dial on.
    pub(super) dial_line: Option<SerialPort>,
    /// What its dialers want said.
    pub(super) dialing: Option<Dialing>,
    /// The port's description, and its dialer's.
    pub(super) port: PortConfig,
}

/// The ports that may be tried, in order: those of the name, those of the speed, those of both, or, where neither is given,
/// all that can be called over.
///
/// # Errors
/// When a port file cannot be read or understood.
pub(crate) fn ports(
    config: &Config,
    settings: &Settings,
    wanted: Option<&str>,
) -> Result<Vec<PortConfig>, ConfigError> {
    let by_speed = settings.speed.is_some_and(|speed| speed > 0) || settings.speed_range.is_some();
    let name = match (wanted, &settings.port) {
        (Some(name), _) => Some(name),
        (None, PortChoice::Named(name)) => Some(name.as_str()),
        (None, PortChoice::Inline(port)) => return Ok(vec![(**port).clone()]),
        (None, PortChoice::None) => None,
    };
    let suits = |port: &PortConfig| match name {
        Some(name) => port.name == name && runs_at(port, settings),
        None if by_speed => is_serial(port) && runs_at(port, settings),
        None => !matches!(port.kind, PortKind::Stdin),
    };
    Ok(config.ports()?.into_iter().filter(suits).collect())
}

fn is_serial(port: &PortConfig) -> bool {
    matches!(port.kind, PortKind::Modem(_) | PortKind::Direct(_))
}

/// Whether the port runs at the speed that the system is called with.
fn runs_at(port: &PortConfig, settings: &Settings) -> bool {
    let (speed, range) = match &port.kind {
        PortKind::Modem(modem) => (modem.speed, modem.speed_range),
        PortKind::Direct(direct) => (direct.speed, None),
        _ => return true,
    };
    let wanted = match (settings.speed, settings.speed_range) {
        (None | Some(0), None) => return true,
        (None | Some(0), Some(range)) => range,
        (Some(speed), _) => (speed, speed),
    };
    let overlaps = |(low, high): (u32, u32)| low <= wanted.1 && wanted.0 <= high;
    match (speed, range) {
        (None, None) => true,
        (speed, range) => {
            speed.is_some_and(|speed| overlaps((speed, speed))) || range.is_some_and(overlaps)
        }
    }
}

/// Locks the devices of a serial port, for a call that goes out over it; of other ports there is nothing to lock.
///
/// # Errors
/// [`PortError::Locked`] when one is in use.
pub(super) fn lock_line(spool: &Spool, port: &PortConfig) -> Result<Vec<PidLock>, PortError> {
    let (device, dial_device) = match &port.kind {
        PortKind::Modem(modem) => (&modem.device, modem.dial_device.as_deref()),
        PortKind::Direct(direct) => (&direct.device, None),
        _ => return Ok(Vec::new()),
    };
    let device = device_path(device.as_deref(), &port.name);
    let mut locks = vec![lock(spool, port, &device)?];
    if let Some(dial_device) = dial_device {
        let device = device_path(Some(dial_device), &port.name);
        locks.push(lock_path(spool, &device)?);
    }
    Ok(locks)
}

/// Opens a port, whose devices the caller has locked, to reach `system` by its phone number or address.
///
/// # Errors
/// Why it cannot be opened.
pub(super) fn open(
    config: &Config,
    system: &SystemName,
    settings: &Settings,
    port: &PortConfig,
    signals: Option<&Signals>,
) -> Result<Opened, PortError> {
    let number = match &settings.phone {
        Some(phone) => phone.clone(),
        None => system.as_bytes().to_vec(),
    };
    match &port.kind {
        PortKind::Tcp(tcp) => {
            let dialing = match &tcp.dialer {
                Some(choice) => Dialing::plan(config, port, choice, &number, false)?,
                None => None,
            };
            let line = connect(&TcpTarget {
                host: String::from_utf8_lossy(&number).into_owned(),
                service: tcp.service.clone(),
                version: tcp.version,
            })?;
            Ok(Opened::new(line, port).dialed_by(dialing))
        }
        PortKind::Tls(tls) => {
            let target = TcpTarget {
                host: String::from_utf8_lossy(&number).into_owned(),
                service: tls.service.clone(),
                version: tls.version,
            };
            let line = encryption::call(config, system, &target, (&port.name, tls), signals)?;
            Ok(Opened::new(line, port))
        }
        PortKind::Pipe(pipe) => {
            let traits = traits_of(port);
            let line = PipePort::open(&pipe.command, &number, system.as_bytes(), traits)?;
            Ok(Opened::new(Box::new(line), port))
        }
        PortKind::Stdin => Ok(Opened::new(Box::new(StdioPort::open()?), port)),
        PortKind::Modem(modem) => open_modem(config, settings, port, modem, &number),
        PortKind::Direct(direct) => open_direct(settings, port, direct),
        PortKind::Tli(_) => Err(PortError::Unsupported("tli")),
    }
}

/// What the configuration says a line is good for.
fn traits_of(port: &PortConfig) -> LineTraits {
    LineTraits {
        eight_bit: !port.seven_bit,
        reliable: port.reliable.unwrap_or(true),
        end_to_end: false,
        speed: None,
    }
}

fn speed_of(settings: &Settings, port: Option<u32>) -> Option<u32> {
    settings.speed.filter(|speed| *speed > 0).or(port)
}

fn open_direct(
    settings: &Settings,
    port: &PortConfig,
    direct: &DirectPort,
) -> Result<Opened, PortError> {
    let device = device_path(direct.device.as_deref(), &port.name);
    let mut line = SerialPort::open(&SerialTarget {
        device,
        speed: speed_of(settings, direct.speed),
        hardware_flow: direct.hardflow,
        // There is no dialing to wait for.
        carrier: direct.carrier.then_some(Duration::ZERO),
        traits: traits_of(port),
    })?;
    if direct.carrier {
        line.require_carrier(true, None)
            .map_err(|error| PortError::Configuration(format!("port '{}': {error}", port.name)))?;
    }
    Ok(Opened::new(Box::new(line), port))
}

fn open_modem(
    config: &Config,
    settings: &Settings,
    port: &PortConfig,
    modem: &ModemPort,
    number: &[u8],
) -> Result<Opened, PortError> {
    let dialing = match &modem.dialer {
        Some(choice) => Dialing::plan(config, port, choice, number, modem.carrier)?,
        None => None,
    };
    let Some(dialing) = dialing else {
        return Err(PortError::Configuration(format!(
            "port '{}' is a modem without a dialer; add 'dialer NAME' to it, or 'type direct'",
            port.name
        )));
    };
    let complete = dialing.complete_port(port);
    let device = device_path(modem.device.as_deref(), &port.name);
    let target = SerialTarget {
        device,
        speed: speed_of(settings, modem.speed),
        hardware_flow: modem.hardflow,
        carrier: (modem.carrier && dialing.first.carrier).then(|| dialing.carrier_wait()),
        traits: traits_of(&complete),
    };
    let line = SerialPort::open(&target)?;
    if dialing.first.dtr_toggle {
        line.toggle_dtr(dialing.first.dtr_toggle_wait);
    }
    let mut opened = Opened::new(Box::new(line), &complete);
    if let Some(dial_device) = &modem.dial_device {
        let device = device_path(Some(dial_device), &port.name);
        opened.dial_line = Some(SerialPort::open(&SerialTarget {
            device,
            carrier: None,
            ..target
        })?);
    }
    opened.dialing = Some(dialing);
    Ok(opened)
}

/// Opens and locks a serial port for calls that come in on it, as `-e -p` and `-l -p` have it; `None`: it is not serial.
///
/// # Errors
/// Why it cannot be opened, or may not be now.
pub(super) fn open_for_calls(
    spool: &Spool,
    port: &PortConfig,
) -> Result<Option<(SerialPort, PidLock)>, PortError> {
    let (device, speed, hardware_flow, carrier) = match &port.kind {
        PortKind::Modem(one) => (&one.device, one.speed, one.hardflow, one.carrier),
        PortKind::Direct(one) => (&one.device, one.speed, one.hardflow, one.carrier),
        _ => return Ok(None),
    };
    let device = device_path(device.as_deref(), &port.name);
    let lock = lock(spool, port, &device)?;
    let line = SerialPort::open(&SerialTarget {
        device,
        speed,
        hardware_flow,
        carrier: carrier.then_some(UNTIL_SOMEBODY_CALLS),
        traits: traits_of(port),
    })?;
    Ok(Some((line, lock)))
}

fn lock(spool: &Spool, port: &PortConfig, device: &Path) -> Result<PidLock, PortError> {
    match &port.lockname {
        // As it is written: some programs want another form than ours.
        Some(name) => taken(
            spool.lock_device(name.strip_prefix("LCK..").unwrap_or(name)),
            name,
        ),
        None => lock_path(spool, device),
    }
}

fn lock_path(spool: &Spool, device: &Path) -> Result<PidLock, PortError> {
    let name = device.to_string_lossy();
    taken(spool.lock_device(&name), &name)
}

fn taken(lock: Result<PidLock, LockError>, name: &str) -> Result<PidLock, PortError> {
    lock.map_err(|error| PortError::Locked {
        reason: format!("{name} is in use ({error})"),
        holder: match error {
            LockError::Held { pid, .. } => pid,
            LockError::Spool(_) => None,
        },
    })
}

impl Opened {
    fn new(line: Box<dyn Port>, port: &PortConfig) -> Self {
        Self {
            line,
            dial_line: None,
            dialing: None,
            port: port.clone(),
        }
    }

    fn dialed_by(mut self, dialing: Option<Dialing>) -> Self {
        if let Some(dialing) = &dialing {
            self.port = dialing.complete_port(&self.port);
        }
        self.dialing = dialing;
        self
    }
}

impl From<NoPlan> for PortError {
    fn from(error: NoPlan) -> Self {
        Self::Configuration(match error {
            NoPlan::Config(error) => error.to_one_line(),
            NoPlan::Unusable(reason) => reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suiting(sys: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).display().to_string();
        let files = [
            ("sys", format!("{sys}system s\ntime any\n")),
            (
                "port",
                "port a\ntype modem\nspeed 2400\nspeed-range 300 9600\nport b\ntype direct\nspeed 9600\n\
                 port c\ntype direct\nport b\ntype direct\nspeed 19200\nport t\ntype tcp\nport s\ntype stdin\n"
                    .to_owned(),
            ),
            ("config", format!("sysfile {}\nportfile {}\n", place("sys"), place("port"))),
        ];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let config = Config::load(Some(&folder.path().join("config"))).unwrap();
        let system = config.system(&"s".parse().unwrap()).unwrap().unwrap();
        let found = ports(&config, system.settings(), None).unwrap();
        let speed = |port: &PortConfig| match &port.kind {
            PortKind::Direct(direct) => direct.speed.unwrap_or_default(),
            _ => 0,
        };
        found
            .iter()
            .map(|port| format!("{}{}", port.name, speed(port)))
            .collect()
    }

    #[test]
    fn ports_are_chosen_by_name_by_speed_or_by_both() {
        assert_eq!(suiting("port b\n"), ["b9600", "b19200"]);
        assert_eq!(suiting("speed 9600\n"), ["a0", "b9600", "c0"]);
        assert_eq!(suiting("speed 9600\nport b\n"), ["b9600"]);
        assert_eq!(suiting("speed 0\nport b\n"), ["b9600", "b19200"]);
        assert_eq!(suiting("speed 1200\nport t\n"), ["t0"]);
        assert_eq!(suiting(""), ["a0", "b9600", "c0", "b19200", "t0"]);
        assert!(suiting("speed 1200\nport b\n").is_empty());
    }
}
