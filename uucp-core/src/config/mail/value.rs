//! Values of `mail.toml` that are checked while they are read, so that an error names their line.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::tls::Fingerprint;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// A number of bytes: `4096`, `"100k"`, `"10M"`, `"1G"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteCount(pub(super) u64);

/// A length of time: seconds as a number, or `"90s"`, `"5m"`, `"2h"`, `"7d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period(pub(super) Duration);

/// A number from 1 to `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub(super) struct Count<const MOST: u32>(pub(super) NonZeroU32);

impl<const MOST: u32> TryFrom<i64> for Count<MOST> {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let count = u32::try_from(number).ok().filter(|count| *count <= MOST);
        let count = count.and_then(NonZeroU32::new).map(Self);
        count.ok_or_else(|| format!("'{number}' is not a number from 1 to {MOST}"))
    }
}

/// A path that does not depend on where a program was started.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct WholePath(pub(super) PathBuf);

impl TryFrom<String> for WholePath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with('/') && !text.contains('\0') {
            return Ok(Self(text.into()));
        }
        Err(format!(
            "'{text}' is not a whole path; write one that begins with '/'"
        ))
    }
}

/// A program, by its whole path or by the name that PATH has it under.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ProgramPath(pub(super) PathBuf);

impl TryFrom<String> for ProgramPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !text.is_empty() && !text.contains('/') && !text.contains('\0') {
            return Ok(Self(text.into()));
        }
        WholePath::try_from(text).map(|path| Self(path.0))
    }
}

/// A host and a port: `"127.0.0.1:25"`, `"[::1]:25"`, `"localhost:10026"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// Name or address.
    pub host: String,
    /// Port number.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not HOST:PORT, say \"127.0.0.1:25\"");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        if bare.is_none() && host.contains(':') || host.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port,
        })
    }
}

/// Where an SMTP or LMTP server listens: `"127.0.0.1:25"`, or a unix socket, `"/run/dovecot/lmtp"`, with or without `unix:`
/// before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// TCP.
    Tcp(HostPort),
    /// A unix socket, by its whole path.
    Unix(PathBuf),
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host_port) => host_port.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for ServerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if path.len() < text.len() {
            return Err(format!("'{text}' is not unix:/PATH"));
        }
        text.parse()
            .map(Self::Tcp)
            .map_err(|wrong: String| format!("{wrong}, and no /PATH of a unix socket"))
    }
}

/// Splits a number from its unit.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim()))
}

fn scale(text: &str, factor: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    number.checked_mul(factor(unit)?)
}

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let factor = |unit: &str| match unit {
            "" => Some(1),
            "k" | "K" => Some(1 << 10),
            "M" => Some(1 << 20),
            "G" => Some(1 << 30),
            _ => None,
        };
        scale(text, factor)
            .map(Self)
            .ok_or_else(|| format!("'{text}' is not a size, say 4096, \"100k\", \"10M\" or \"1G\""))
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let factor = |unit: &str| match unit {
            "" | "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            "d" => Some(86_400),
            _ => None,
        };
        scale(text, factor)
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| {
                format!("'{text}' is not a time, say 90, \"90s\", \"5m\", \"2h\" or \"7d\"")
            })
    }
}

/// Takes a string or a whole number for anything that parses from a string.
struct Parsed<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = String>> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a string")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! parsed {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Parsed(std::marker::PhantomData))
            }
        }
    )*};
}

parsed!(ByteCount, Period, HostPort, ServerAddress, Fingerprint);

/// Reads a string by the type's own parser.
pub(super) fn by_parser<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(de::Error::custom)
}

/// Reads a mail address.
pub(super) fn address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<crate::address::Address>, D::Error> {
    let text = String::deserialize(deserializer)?;
    crate::address::Address::parse(text.as_bytes())
        .map(Some)
        .map_err(de::Error::custom)
}
