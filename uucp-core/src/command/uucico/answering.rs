//! Answering calls: on standard input, or on a port without end.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use super::Site;
use super::line::is_standard_input;
use crate::command::debug;
use crate::config::mail::MailConfig;
use crate::config::port::IpVersion;
use crate::config::{PortConfig, PortKind};
use crate::conversation::LoginMode;
use crate::engine::{
    Answer, Answerer, Certified, ChildCommand, Finished, LineInfo, ToServer, answer,
    answer_encrypted, can_confine, serve, unconfined,
};
use crate::owner::{self, is_anothers};
use crate::port::{
    LineTraits, Listener, Port, PortError, StdioPort, TlsFault, caller_address, service_number,
    stderr_is_the_line,
};
use crate::program;
use crate::spool::{Journal, Severity};
use crate::sysexits::{Audience, Failure, Status};

/// Where calls are waited for.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) number: u16,
    pub(super) version: Option<IpVersion>,
    /// Whether its connections are TLS.
    pub(super) encrypted: bool,
    /// Whether the port file says so.
    pub(super) is_described: bool,
}

impl Place {
    /// Where calls are waited for on a port of the port file; `None`: it is not one for that.
    pub(super) fn of(port: PortConfig) -> Result<Option<Self>, Failure> {
        let (service, version, encrypted) = match &port.kind {
            PortKind::Tcp(tcp) => (&tcp.service, tcp.version, false),
            PortKind::Tls(tls) => (&tls.service, tls.version, true),
            _ => return Ok(None),
        };
        let number = service_number(service)
            .map_err(|error| Failure::new(Status::Configuration, error.to_string()))?;
        Ok(Some(Self {
            name: port.name,
            number,
            version,
            encrypted,
            is_described: true,
        }))
    }
}

/// This program, to be started again.
pub(super) fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::new(Status::OsError, error.to_string()))
}

impl Site<'_> {
    /// Answers: one call on standard input, or all that come in on a port; whether it went well. `-p` with a port for that says
    /// enough (the manual's `uucico -p TCP`), and callers are always asked for a password.
    pub(super) fn answer(&self) -> Result<bool, Failure> {
        // inetd and systemd hand the call over, on whatever port it has come in.
        let is_here = !self.arguments.endless && caller_address().is_some();
        let asked = self.arguments.endless || self.arguments.prompt;
        if !is_here && self.arguments.accepted.is_none() {
            let serial = self.serial_port()?;
            if let Some(port) = &serial
                && (asked || !is_standard_input(port))
            {
                self.become_owner()?;
                return self.answer_on_line(port);
            }
            if serial.is_none() && self.place()?.is_some() {
                self.serve(None)?;
                return Ok(true);
            }
        }
        self.become_owner()?;
        self.answer_stdin()
    }

    /// Waits for calls until a signal comes; on sockets that are bound already, if there are some.
    pub(super) fn serve(&self, bound: Option<(Place, Listener)>) -> Result<(), Failure> {
        if let Some(port) = self.serial_port()? {
            self.become_owner()?;
            return self.answer_on_line(&port).map(drop);
        }
        let (place, listener) = match bound {
            Some(bound) => bound,
            None => self.bind()?,
        };
        self.become_owner()?;
        self.log_if_unconfined();
        let answerer = self.answerer(&place)?;
        let mut journal = Journal::open(&self.config, "uucico");
        let number = listener.port().unwrap_or(place.number);
        let shown = format!("port {} ({number})", place.name);
        journal.log(
            None,
            None,
            Severity::Info,
            &format!("Waiting for calls on {shown}"),
        );
        let served = serve(&listener, answerer, &mut journal, &self.signals)
            .map_err(|error| Failure::new(Status::OsError, error.to_string()));
        let text = format!("No longer waiting for calls on {shown}");
        journal.log(None, None, Severity::Info, &text);
        served
    }

    /// A port that cannot be listened on: the Log has it, too, since nobody may be looking when a server starts.
    pub(super) fn cannot_listen(&self, error: &PortError) -> Failure {
        let text = error.to_string();
        Journal::open(&self.config, "uucico").log(None, None, Severity::Fatal, &text);
        Failure::new(Status::OsError, text)
    }

    /// Once for all calls that are to come.
    pub(super) fn log_if_unconfined(&self) {
        // What is wrong with the file is told in each call.
        let mail = MailConfig::load(&self.config.directory).unwrap_or_default();
        if mail.confines()
            && let Err(why) = can_confine()
        {
            let mut journal = Journal::open(&self.config, "uucico");
            journal.log(None, None, Severity::Info, &unconfined(&why));
        }
    }

    /// With `-w`: the sockets, if only the rights that are about to go can bind them.
    pub(super) fn bind_with_rights(&self) -> Result<Option<(Place, Listener)>, Failure> {
        let is_now = self.arguments.wait && is_anothers(self.spool.root());
        if !is_now || self.serial_port()?.is_some() {
            return Ok(None);
        }
        self.bind().map(Some)
    }

    fn bind(&self) -> Result<(Place, Listener), Failure> {
        let Some(place) = self.place()? else {
            return Err(Failure::new(
                Status::Usage,
                "there is no port to wait on; name one with -p, such as -p 540",
            ));
        };
        let listener = Listener::bind(place.number, place.version)
            .map_err(|error| self.cannot_listen(&error))?;
        Ok((place, listener))
    }

    /// What answers the calls that come in on a port.
    pub(super) fn answerer(&self, place: &Place) -> Result<Answerer, Failure> {
        // Nothing is said before the keys are known.
        let greeting = if place.encrypted {
            Vec::new()
        } else {
            self.first_prompt()
        };
        Ok(Answerer {
            command: ChildCommand {
                program: this_program()?,
                arguments: self.child_arguments(&place.name),
            },
            greeting,
        })
    }

    /// What a caller sees first.
    pub(super) fn first_prompt(&self) -> Vec<u8> {
        match self.arguments.login {
            Some(_) => b"Password:".to_vec(),
            None => b"login: ".to_vec(),
        }
    }

    /// The port that `-p` names, if it is one to wait on.
    pub(super) fn place(&self) -> Result<Option<Place>, Failure> {
        match self.arguments.port() {
            Some(name) => self.place_named(name),
            None => Ok(None),
        }
    }

    /// The port of a name, if it is one to wait on.
    pub(super) fn place_named(&self, name: &str) -> Result<Option<Place>, Failure> {
        if let Ok(number) = name.parse() {
            return Ok(Some(Place {
                name: "TCP".into(),
                number,
                version: None,
                encrypted: false,
                is_described: false,
            }));
        }
        let port = self.named_port(name)?;
        match port.kind {
            PortKind::Stdin => Ok(None),
            _ => match Place::of(port)? {
                Some(place) => Ok(Some(place)),
                None => Err(Failure::new(
                    Status::Configuration,
                    format!(
                        "port {name}: calls are waited for on ports of type tcp and tls, and with -e on serial ones"
                    ),
                )),
            },
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
        words.extend(self.arguments.common.debug_words());
        words
    }

    fn answer_stdin(&self) -> Result<bool, Failure> {
        // Under inetd and on a terminal of ssh, standard error is the line: words there would be taken for the peer's.
        let silent = stderr_is_the_line();
        let from = caller_address();
        let failed = |error: PortError| Failure::new(Status::OsError, error.to_string());
        let accepted = self.arguments.accepted.is_some();
        let (port, server) = if accepted {
            let (port, output) = StdioPort::open_accepted().map_err(failed)?;
            (port, Some(ToServer::new(output)))
        } else {
            (StdioPort::open().map_err(failed)?, None)
        };
        let described = self.port_of_call()?;
        let line = self.line_info(described.as_ref(), port.traits());
        let (mut port, certified) = match described.map(|port| port.kind) {
            Some(PortKind::Tls(tls)) => {
                let answered = answer_encrypted(&self.config, &tls, Box::new(port), &self.signals);
                match answered {
                    Ok((port, certified)) => (Box::new(port) as Box<dyn Port>, Some(certified)),
                    Err(fault) => {
                        self.tell_refused(&fault, &line.name, from, silent);
                        return Ok(false);
                    }
                }
            }
            _ => (Box::new(port) as Box<dyn Port>, None),
        };
        let (login, user) = self.login_mode(certified.as_ref())?;
        let finished = answer(
            &self.config,
            &self.spool,
            &mut *port,
            Answer {
                login,
                prompted: accepted && certified.is_none(),
                user,
                line,
                from,
                counts: !accepted,
                certified,
                execute_every: self.execute_every(),
                debug: Some(debug::add),
                server,
            },
            Some(&self.signals),
        );
        drop(port);
        Ok(self.after_answer(&finished, silent))
    }

    /// Starts uuxqt after a call that was answered; whether the call went well.
    pub(super) fn after_answer(&self, finished: &Finished, silent: bool) -> bool {
        let starter = self.starter();
        self.after_call(starter.as_ref(), finished.executions);
        self.at_the_end(starter.as_ref());
        if let Err(error) = &finished.result {
            self.complain(error.to_string(), silent);
        }
        finished.result.is_ok()
    }

    /// One line on standard error, unless that is the line or belongs to a server.
    fn complain(&self, text: String, silent: bool) {
        if !silent && self.arguments.accepted.is_none() && !self.arguments.quiet {
            let failure = Failure::new(Status::Other, text);
            let _ = program::report("uucico", Audience::Plain, &failure);
        }
    }

    /// A caller that did not come as far as a login.
    fn tell_refused(&self, fault: &TlsFault, port: &str, from: Option<IpAddr>, silent: bool) {
        let from = from.map_or_else(String::new, |from| format!(" from {from}"));
        let text = format!("Call{from} refused (port {port}): {fault}");
        Journal::open(&self.config, "uucico").log(None, None, Severity::Error, &text);
        self.complain(text, silent);
    }

    /// The name of the port that a call has come in on.
    fn name_of_call(&self) -> Option<&String> {
        let accepted = self.arguments.accepted.as_ref();
        accepted.or_else(|| self.arguments.port())
    }

    /// What the port file says of it.
    fn port_of_call(&self) -> Result<Option<PortConfig>, Failure> {
        let found = self.name_of_call().map(|name| self.config.port(name));
        let found = found.transpose();
        let found =
            found.map_err(|error| Failure::new(Status::Configuration, error.to_string()))?;
        Ok(found.flatten())
    }

    /// What is known of the line that a call has come in on.
    fn line_info(&self, described: Option<&PortConfig>, traits: LineTraits) -> LineInfo {
        match (described, self.name_of_call()) {
            (Some(port), _) => LineInfo::new(port, traits),
            (None, Some(name)) => LineInfo::plain(name, traits),
            (None, None) if traits.end_to_end => LineInfo::plain("TCP", traits),
            (None, None) => LineInfo::plain("stdin", traits),
        }
    }

    /// How the caller logs in, and as whom if it does not.
    fn login_mode(
        &self,
        certified: Option<&Certified>,
    ) -> Result<(LoginMode, Option<Vec<u8>>), Failure> {
        let given = self.arguments.login.as_ref();
        if let Some(name) = given
            && !self.may_name_login()
        {
            return Err(Failure::new(
                Status::NotPermitted,
                format!(
                    "--login {name}: only root and the owner of the spool may set the login name"
                ),
            ));
        }
        let known = certified.map(|one| one.login(&self.config)).transpose();
        let known =
            known.map_err(|error| Failure::new(Status::Configuration, error.to_string()))?;
        if let Some(login) = known.flatten() {
            let named = given.map(|name| name.clone().into_bytes());
            return Ok((LoginMode::Done, Some(named.unwrap_or(login))));
        }
        if self.arguments.prompt || self.arguments.endless {
            return Ok((self.asking(), None));
        }
        let user = match given {
            Some(name) => name.clone(),
            None => owner::name(self.caller),
        };
        Ok((LoginMode::Done, Some(user.into_bytes())))
    }

    /// A caller is asked for name and password, or for the password of the name that was given.
    pub(super) fn asking(&self) -> LoginMode {
        match &self.arguments.login {
            Some(name) => LoginMode::Password(name.clone().into_bytes()),
            None => LoginMode::Prompt,
        }
    }

    /// Root, the owner of the spool, and whoever is called uucp.
    fn may_name_login(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let caller = self.caller;
        let owner = std::fs::metadata(self.spool.root()).map(|metadata| metadata.uid());
        caller.is_root()
            || owner.is_ok_and(|owner| owner == caller.as_raw())
            || owner::name(caller) == "uucp"
    }
}
