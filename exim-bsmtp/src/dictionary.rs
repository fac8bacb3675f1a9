//! `--train`, `--dictionary-export`, `--dictionary-import`: what both ends of a link know of its mail beforehand.
//!
//! Samples are messages as they will stand in a batch of one, envelope and all. Nothing of one link's mail gets into the
//! dictionary of another.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use uucp_core::bsmtp::{LineEnd, Style, Writer};
use uucp_core::codec::dictionary::{self, Training};
use uucp_core::codec::{self, Dictionaries, Dictionary};
use uucp_core::config::Config;
use uucp_core::config::mail::{FarEnd, MailConfig};
use uucp_core::name::SystemName;
use uucp_core::outbox::Outbox;
use uucp_core::owner::{act_as_owner, as_starter};
use uucp_core::send::{look_up, of_config};
use uucp_core::spool::Spool;
use uucp_core::sysexits::{Failure, Status};

use crate::cli::Arguments;

/// More of a message teaches nothing.
const LONGEST_SAMPLE: u64 = 64 << 10;

/// What the configuration says of dictionaries.
struct Site {
    config: Config,
    mail: MailConfig,
    dictionaries: Dictionaries,
}

impl Site {
    fn load(arguments: &Arguments) -> Result<Self, Failure> {
        let config = Config::load(arguments.config.as_deref()).map_err(|e| of_config(&e))?;
        let mail = MailConfig::load(&config.directory)
            .map_err(|e| Failure::new(Status::Configuration, e.to_string()))?;
        let folder = mail
            .state_directory(&config.spool)
            .join(Dictionaries::FOLDER);
        Ok(Self {
            dictionaries: Dictionaries::in_directory(&folder),
            config,
            mail,
        })
    }

    fn system(&self, name: &OsStr) -> Result<SystemName, Failure> {
        Ok(look_up(&self.config, name)?.name)
    }

    fn store(&self, system: &SystemName, dictionary: &Dictionary) -> Result<(), Failure> {
        let kept = self.dictionaries.store(system, dictionary);
        kept.map(drop).map_err(Failure::temporary)
    }
}

/// Trains a dictionary for a system from the mail in its outbox and from these files.
///
/// # Errors
/// When there is too little mail, or something cannot be read or written.
pub(crate) fn train(arguments: &Arguments, system: &OsStr) -> Result<ExitCode, Failure> {
    let site = Site::load(arguments)?;
    let system = site.system(system)?;
    let spool = Spool::open(&site.config).map_err(Failure::temporary)?;
    act_as_owner(spool.root())?;
    let mut training = Training::default();
    add_outbox(&mut training, &site, &spool, &system)?;
    for file in &arguments.systems {
        as_starter(|| add_path(&mut training, Path::new(file)))?;
    }
    let count = training.count();
    let dictionary = training
        .finish(None)
        .map_err(|e| Failure::new(Status::DataError, e.to_string()))?;
    site.store(&system, &dictionary)?;
    say(&format!(
        "dictionary {id:08x} for {system}: {size} bytes from {count} messages; give it to the other end \
         (--dictionary-export {id:08x} FILE), and when it is there, set dictionary = \"{id:08x}\" in mail.toml",
        id = dictionary.id(),
        size = dictionary.bytes().len(),
    ));
    Ok(ExitCode::SUCCESS)
}

/// Writes a dictionary to a file, for the other end.
///
/// # Errors
/// When there is no such dictionary, or the file is there already.
pub(crate) fn export(arguments: &Arguments, id: &OsStr) -> Result<ExitCode, Failure> {
    let site = Site::load(arguments)?;
    act_as_owner(&site.config.spool)?;
    let file = only_file(arguments)?;
    let number = id
        .to_str()
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(|| {
            let text = format!("'{}' is not the id of a dictionary", id.display());
            Failure::new(Status::Usage, text)
        })?;
    let dictionary = site
        .dictionaries
        .load(number)
        .map_err(Failure::temporary)?
        .ok_or_else(|| {
            Failure::new(
                Status::NoInput,
                format!("there is no dictionary {}", id.display()),
            )
        })?;
    as_starter(|| dictionary::write(file, &dictionary))
        .map_err(|e| Failure::new(Status::CannotCreate, e.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

/// Keeps a dictionary that the other end has trained.
///
/// # Errors
/// When it is none, others could read it, or it cannot be kept.
pub(crate) fn import(arguments: &Arguments, system: &OsStr) -> Result<ExitCode, Failure> {
    let site = Site::load(arguments)?;
    act_as_owner(&site.config.spool)?;
    let file = only_file(arguments)?;
    let system = site.system(system)?;
    let dictionary = as_starter(|| dictionary::read(file))
        .map_err(|e| Failure::new(Status::NoInput, e.to_string()))?;
    site.store(&system, &dictionary)?;
    say(&format!("dictionary {:08x} for {system}", dictionary.id()));
    Ok(ExitCode::SUCCESS)
}

fn only_file(arguments: &Arguments) -> Result<&Path, Failure> {
    match &*arguments.systems {
        [file] => Ok(Path::new(file)),
        _ => Err(Failure::new(Status::Usage, "one file is needed")),
    }
}

fn say(text: &str) {
    // A closed standard output changes nothing of what was done.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn add_outbox(
    training: &mut Training,
    site: &Site,
    spool: &Spool,
    system: &SystemName,
) -> Result<(), Failure> {
    let outbox = Outbox::new(spool, system);
    let style = Style {
        line_end: LineEnd::Lf,
        parameters: site.mail.sending(system).far_end == FarEnd::Bangpath,
        hello: site
            .mail
            .domain()
            .unwrap_or(site.config.nodename.as_str())
            .to_owned(),
    };
    for name in outbox.list().map_err(Failure::temporary)? {
        if training.is_full() {
            break;
        }
        let Some(entry) = outbox.open(&name).map_err(Failure::temporary)? else {
            continue;
        };
        let mut content = entry.content.take(LONGEST_SAMPLE);
        let sample = Writer::new(Vec::new(), style.clone()).and_then(|mut writer| {
            writer.message(&entry.head.transaction, &mut content)?;
            writer.finish()
        });
        training.add(&sample.map_err(Failure::temporary)?);
    }
    Ok(())
}

/// Adds a message, or all of a directory (a Maildir, say). Compressed ones are decompressed.
fn add_path(training: &mut Training, path: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let text = format!("cannot read {}: {error}", path.display());
        Failure::new(Status::NoInput, text)
    };
    if fs::metadata(path).map_err(failed)?.is_dir() {
        let entries = fs::read_dir(path).map_err(failed)?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()
            .map_err(failed)?;
        paths.sort_unstable();
        return paths.iter().try_for_each(|path| add_path(training, path));
    }
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let none = Dictionaries::none();
    let mut sample = Vec::new();
    codec::decoder(Box::new(file), codec::Limits::default(), &none)
        .and_then(|decoder| decoder.take(LONGEST_SAMPLE).read_to_end(&mut sample))
        .map_err(failed)?;
    training.add(&sample);
    Ok(())
}

/// The option's value, where it was given.
pub(crate) fn mode(arguments: &Arguments) -> Option<Result<ExitCode, Failure>> {
    type Mode = fn(&Arguments, &OsStr) -> Result<ExitCode, Failure>;
    let modes: [(&Option<OsString>, Mode); 3] = [
        (&arguments.train, train),
        (&arguments.dictionary_export, export),
        (&arguments.dictionary_import, import),
    ];
    modes
        .into_iter()
        .find_map(|(value, mode)| value.as_ref().map(|value| mode(arguments, value)))
}
