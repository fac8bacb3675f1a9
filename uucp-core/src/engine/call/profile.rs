//! What the conversation of a call is told: names, words, protocols.

use super::{CallError, Caller};
use crate::config::chat::SendItem;
use crate::config::time::grade_limit;
use crate::config::{CallWord, PortConfig, Secret, Settings};
use crate::conversation::{CallProfile, ChatWords, Protocols};
use crate::engine::line::{usable_protocols, usual_parameters};
use crate::engine::neighbour::local_time;
use crate::name::Grade;
use crate::port::LineTraits;
use crate::wire::command::Features;

impl Caller<'_> {
    /// What the conversation is told; or why it cannot begin.
    pub(super) fn profile(
        &self,
        settings: &Settings,
        port: &PortConfig,
        line: LineTraits,
    ) -> Result<Result<CallProfile, String>, CallError> {
        let words = match self.words(settings)? {
            Ok(words) => words,
            Err(reason) => return Ok(Err(reason)),
        };
        let letters = usable_protocols(settings, port.protocols.as_deref(), line);
        if letters.is_empty() {
            let reason = "none of the protocols of the configuration can be used here";
            return Ok(Err(reason.to_owned()));
        }
        let mut parameters = usual_parameters(line);
        parameters.extend(settings.protocol_parameters.iter().cloned());
        parameters.extend(port.protocol_parameters.iter().cloned());
        let sequence = if settings.sequence {
            let last = self.spool.call_sequence(&self.system.name)?;
            Some(u64::from(last) + 1)
        } else {
            None
        };
        let grade = match self.options.grade {
            Some(grade) => Some(grade),
            None => grade_limit(&settings.call_timegrade, local_time()),
        };
        let local = settings
            .myname
            .clone()
            .unwrap_or_else(|| self.config.nodename.clone());
        Ok(Ok(CallProfile {
            local,
            system: self.system.name.clone(),
            aliases: self.system.aliases.clone(),
            dial: Vec::new(),
            chat: settings.chat.clone(),
            words,
            sequence,
            grade: grade.map(Grade::byte),
            protocols: Protocols {
                letters,
                parameters,
                half_duplex: port.half_duplex,
                max_file_time: settings.max_file_time,
            },
            strip_parity: self.config.strip_proto,
            features: Features::OURS,
        }))
    }

    /// Login name and password, if the script asks for them.
    fn words(&self, settings: &Settings) -> Result<Result<ChatWords, String>, CallError> {
        let script = settings.chat.script.iter();
        let mut sent = script.flat_map(|exchange| {
            let subsends = exchange
                .expect
                .iter()
                .filter_map(|one| one.subsend.as_ref());
            exchange.send.iter().chain(subsends.flatten())
        });
        let wanted = sent.any(|item| matches!(item, SendItem::Login | SendItem::Password));
        let phone = settings.phone.clone().unwrap_or_default();
        let mut words = ChatWords {
            phone: phone.clone(),
            translated_phone: phone,
            ..ChatWords::default()
        };
        let looked_up = self.config.call_credentials(&self.system.name)?;
        match &settings.call_login {
            Some(CallWord::Literal(login)) => words.login = login.expose().to_vec(),
            Some(CallWord::LookUp) => {
                if let Some(found) = &looked_up {
                    words.login.clone_from(&found.login);
                } else if wanted {
                    return Ok(Err("no login name in the call file".into()));
                }
            }
            None if wanted => {
                return Ok(Err(
                    "the chat script sends a login name, but there is no 'call-login'".into(),
                ));
            }
            None => {}
        }
        words.password = match (&settings.call_password, looked_up) {
            (Some(CallWord::Literal(password)), _) => password.clone(),
            (Some(CallWord::LookUp), Some(found)) => found.password,
            _ => Secret::default(),
        };
        Ok(Ok(words))
    }
}
