//! Answering calls: on standard input, or on a port without end.

use std::ffi::OsString;

use nix::unistd::{Uid, User, getuid};

use super::Site;
use super::debug;
use crate::config::{PortConfig, PortKind};
use crate::conversation::LoginMode;
use crate::engine::{Answer, Answerer, ChildCommand, LineInfo, ToServer, answer, serve};
use crate::port::{Listener, Port, PortError, StdioPort, service_number, stderr_is_the_line};
use crate::program;
use crate::spool::Journal;
use crate::sysexits::{Audience, Failure, Status};

/// Where calls are waited for.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) number: u16,
    pub(super) version: Option<crate::config::port::IpVersion>,
}

impl Site<'_> {
    /// Answers: one call on standard input, or all that come in on a port; whether it went well.
    pub(super) fn answer(&self) -> Result<bool, Failure> {
        let asked = self.arguments.endless || self.arguments.prompt;
        if asked && self.arguments.accepted.is_none() && self.place()?.is_some() {
            self.serve()?;
            return Ok(true);
        }
        self.answer_stdin()
    }

    /// Waits for calls until a signal comes.
    pub(super) fn serve(&self) -> Result<(), Failure> {
        let Some(place) = self.place()? else {
            return Err(Failure::new(
                Status::Usage,
                "there is no port to wait on; name one with -p, such as -p 540",
            ));
        };
        let listener = Listener::bind(place.number, place.version)
            .map_err(|error| Failure::new(Status::OsError, error.to_string()))?;
        let answerer = self.answerer(&place.name)?;
        let mut journal = Journal::open(&self.config, "uucico");
        serve(&listener, answerer, &mut journal, &self.signals)
            .map_err(|error| Failure::new(Status::OsError, error.to_string()))
    }

    /// What answers the calls that come in on a port.
    pub(super) fn answerer(&self, port: &str) -> Result<Answerer, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::new(Status::OsError, error.to_string()))?;
        let greeting = match self.arguments.login {
            Some(_) => b"Password:".to_vec(),
            None => b"login: ".to_vec(),
        };
        Ok(Answerer {
            command: ChildCommand {
                program,
                arguments: self.child_arguments(port),
            },
            greeting,
        })
    }

    /// The port that `-p` names, if it is one to wait on.
    pub(super) fn place(&self) -> Result<Option<Place>, Failure> {
        let Some(name) = &self.arguments.port else {
            return Ok(None);
        };
        if let Ok(number) = name.parse() {
            return Ok(Some(Place {
                name: "TCP".into(),
                number,
                version: None,
            }));
        }
        let port = self.named_port(name)?;
        match port.kind {
            PortKind::Tcp(tcp) => {
                let number = service_number(&tcp.service)
                    .map_err(|error| Failure::new(Status::Configuration, error.to_string()))?;
                Ok(Some(Place {
                    name: port.name,
                    number,
                    version: tcp.version,
                }))
            }
            PortKind::Stdin => Ok(None),
            _ => Err(Failure::new(
                Status::Configuration,
                format!("port {name}: calls are waited for on ports of type tcp only"),
            )),
        }
    }

    fn named_port(&self, name: &str) -> Result<PortConfig, Failure> {
        let port = self
            .config
            .port(name)
            .map_err(|error| Failure::new(Status::Configuration, error.to_string()))?;
        port.ok_or_else(|| Failure::new(Status::Configuration, format!("{name}: Port not found")))
    }

    /// What a process that answers one call is started with.
    fn child_arguments(&self, port: &str) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["--prompt".into(), "--accepted".into(), port.into()];
        if let Some(file) = &self.config.source {
            words.extend(["--config".into(), file.into()]);
        }
        if self.arguments.no_uuxqt {
            words.push("--nouuxqt".into());
        }
        if let Some(login) = &self.arguments.login {
            words.extend(["--login".into(), login.into()]);
        }
        for kinds in &self.arguments.debug {
            words.extend(["--debug".into(), kinds.into()]);
        }
        words
    }

    fn answer_stdin(&self) -> Result<bool, Failure> {
        // Under inetd and on a terminal of ssh, standard error is the line: words there would be taken for the peer's.
        let silent = stderr_is_the_line();
        let failed = |error: PortError| Failure::new(Status::OsError, error.to_string());
        let accepted = self.arguments.accepted.is_some();
        let (mut port, server) = if accepted {
            let (port, output) = StdioPort::open_accepted().map_err(failed)?;
            (port, Some(ToServer::new(output)))
        } else {
            (StdioPort::open().map_err(failed)?, None)
        };
        let line = self.line_info(&port)?;
        // A server of ours keeps its own count.
        let from = port.from().filter(|_| self.arguments.accepted.is_none());
        let (login, user) = self.login_mode()?;
        let finished = answer(
            &self.config,
            &self.spool,
            &mut port,
            Answer {
                login,
                prompted: accepted,
                user,
                line,
                from,
                execute_every: self.execute_every(),
                debug: Some(debug::add),
                server,
            },
            Some(&self.signals),
        );
        drop(port);
        let starter = self.starter();
        self.after_call(starter.as_ref(), finished.executions);
        self.at_the_end(starter.as_ref(), finished.executions);
        match finished.result {
            Ok(()) => Ok(true),
            Err(error) => {
                if !silent && !accepted && !self.arguments.quiet {
                    let failure = Failure::new(Status::Other, error.to_string());
                    let _ = program::report("uucico", Audience::Plain, &failure);
                }
                Ok(false)
            }
        }
    }

    /// What the port file says of the line that a call came in on.
    fn line_info(&self, port: &StdioPort) -> Result<LineInfo, Failure> {
        let traits = port.traits();
        let name = self
            .arguments
            .accepted
            .as_ref()
            .or(self.arguments.port.as_ref());
        let found = match name {
            None => None,
            Some(name) => self
                .config
                .port(name)
                .map_err(|error| Failure::new(Status::Configuration, error.to_string()))?,
        };
        Ok(match (found, name) {
            (Some(port), _) => LineInfo::new(&port, traits),
            (None, Some(name)) => LineInfo::plain(name, traits),
            (None, None) if traits.end_to_end => LineInfo::plain("TCP", traits),
            (None, None) => LineInfo::plain("stdin", traits),
        })
    }

    /// How the caller logs in, and as whom if it does not.
    fn login_mode(&self) -> Result<(LoginMode, Option<Vec<u8>>), Failure> {
        let given = self.arguments.login.as_ref();
        if let Some(name) = given
            && !self.may_name_login()
        {
            return Err(Failure::new(
                Status::NotPermitted,
                format!("-u {name}: only root and the owner of the spool may set the login name"),
            ));
        }
        if self.arguments.prompt || self.arguments.endless {
            let mode = match given {
                Some(name) => LoginMode::Password(name.clone().into_bytes()),
                None => LoginMode::Prompt,
            };
            return Ok((mode, None));
        }
        let user = match given {
            Some(name) => name.clone(),
            None => user_name(getuid()),
        };
        Ok((LoginMode::Done, Some(user.into_bytes())))
    }

    /// Root, the owner of the spool, and whoever is called uucp.
    fn may_name_login(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let me = getuid();
        let owner = std::fs::metadata(self.spool.root()).map(|metadata| metadata.uid());
        me.is_root() || owner.is_ok_and(|owner| owner == me.as_raw()) || user_name(me) == "uucp"
    }
}

fn user_name(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}
