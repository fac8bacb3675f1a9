//! Execute files (`X.`): what is to be run, with which files, and whom to tell.
//!
//! Read tolerantly (unknown letters are passed over, order is free, CR is a blank), but never half: a file without a command,
//! or one whose last line is cut, would run `rmail joe@x.exam` for `rmail joe@x.example`.

use std::collections::HashSet;
use std::path::PathBuf;

use super::SpoolError;
use crate::name::{SpoolKind, SpoolName, SystemName};
use crate::wire::command::ExecuteRequest;
use crate::wire::quoting::{must_be_quoted, quote, unquote};

/// Longest execute file read, in bytes. An argument list of the operating system is shorter.
pub(super) const EXECUTE_FILE_LIMIT: u64 = 1 << 20;

/// An `F` line: a file that must be there before the command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    /// The file in the spool.
    pub name: SpoolName,
    /// What it is to be called where the command runs.
    pub run_name: Option<Vec<u8>>,
}

/// What an execute file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecuteFile {
    /// `U`: the user who asked, and the system as that file claims.
    pub user: Option<(Vec<u8>, Vec<u8>)>,
    /// `F` lines that name spool files.
    pub files: Vec<RunFile>,
    /// `I`: standard input; a spool file's name, or a path.
    pub stdin: Option<Vec<u8>>,
    /// `O`: where standard output goes, and to which system.
    pub stdout: Option<(Vec<u8>, Option<Vec<u8>>)>,
    /// `C`: the command and its arguments.
    pub command: Vec<Vec<u8>>,
    /// `R`: the address of whoever is to be told.
    pub requestor: Option<Vec<u8>>,
    /// `N`: no mail when the command fails.
    pub no_failure_mail: bool,
    /// `Z`: mail when the command fails (the default).
    pub failure_mail: bool,
    /// `n`: mail when the command succeeds.
    pub success_mail: bool,
    /// `B`: the input is to be sent back with the report.
    pub return_input: bool,
    /// `E`: the command is to be run without a shell.
    pub no_shell: bool,
    /// `e`: the command was meant for a shell; never used.
    pub wants_shell: bool,
    /// `M`: a file that is to be told how it went.
    pub status_file: Option<Vec<u8>>,
}

impl ExecuteFile {
    /// The execute file that an `E` command stands for; `data` is what its file is called here.
    #[must_use]
    pub fn of_request(request: &ExecuteRequest, system: &SystemName, data: &SpoolName) -> Self {
        let file = &request.file;
        let has = |letter| file.options.contains(letter);
        Self {
            user: Some((file.user.clone(), system.as_bytes().to_vec())),
            files: vec![RunFile {
                name: data.clone(),
                run_name: None,
            }],
            stdin: Some(data.as_bytes().to_vec()),
            command: words(&request.command).map(<[u8]>::to_vec).collect(),
            requestor: (has(b'R') && !file.notify.is_empty()).then(|| file.notify.clone()),
            no_failure_mail: has(b'N'),
            failure_mail: has(b'Z'),
            wants_shell: has(b'e'),
            ..Self::default()
        }
    }

    /// Parses an execute file's content.
    ///
    /// # Errors
    /// The reason, where the content is cut, binary, or has no command.
    pub fn parse(content: &[u8]) -> Result<Self, String> {
        if content.contains(&0) {
            return Err("it is binary".to_owned());
        }
        let Some(lines) = content.strip_suffix(b"\n") else {
            return Err(if content.is_empty() {
                "it is empty".to_owned()
            } else {
                "its last line is cut".to_owned()
            });
        };
        let lines = || lines.split(|b| *b == b'\n');
        let quoted = lines().any(|line| words(line).next() == Some(b"Q"));
        let mut file = Self::default();
        for (index, line) in lines().enumerate() {
            file.take_line(line, quoted)
                .map_err(|reason| format!("line {}: {reason}", index + 1))?;
        }
        if file.command.is_empty() {
            return Err("it has no command".to_owned());
        }
        file.check_run_names()?;
        Ok(file)
    }

    /// In the directory that the command runs in one file would take the place of another.
    fn check_run_names(&self) -> Result<(), String> {
        let mut names = HashSet::new();
        let mut run_names = self.files.iter().filter_map(|f| f.run_name.as_deref());
        match run_names.find(|name| !names.insert(*name)) {
            Some(name) => Err(format!("two files are called {}", name.escape_ascii())),
            None => Ok(()),
        }
    }

    fn take_line(&mut self, line: &[u8], quoted: bool) -> Result<(), String> {
        let Some((letter, rest)) = line.split_first() else {
            return Ok(());
        };
        let decode = |word: &[u8]| if quoted { unquote(word) } else { word.to_vec() };
        let mut values = words(rest).map(decode);
        let one = |letter: char, values: &mut dyn Iterator<Item = Vec<u8>>| match (
            values.next(),
            values.next(),
        ) {
            (Some(value), None) => Ok(value),
            _ => Err(format!("'{letter}' takes one word")),
        };
        // `Rjoe` is not `R joe`.
        if rest.first().is_some_and(|b| !is_blank(*b)) {
            return Ok(());
        }
        match letter {
            b'U' => {
                if let (Some(user), Some(system)) = (values.next(), values.next()) {
                    self.user = Some((user, system));
                }
            }
            b'F' => {
                let name = values.next().unwrap_or_default();
                if let Ok(name) = SpoolName::parse(&name) {
                    must_be_data('F', &name)?;
                    let run_name = values.next();
                    self.files.push(RunFile { name, run_name });
                }
            }
            b'I' => {
                let name = one('I', &mut values)?;
                if let Ok(name) = SpoolName::parse(&name) {
                    must_be_data('I', &name)?;
                }
                self.stdin = Some(name);
            }
            b'M' => self.status_file = Some(one('M', &mut values)?),
            b'O' => self.stdout = values.next().map(|name| (name, values.next())),
            b'C' => self.command = values.collect(),
            b'R' => {
                self.requestor = match (values.next(), values.next()) {
                    (Some(user), Some(host)) => Some([&host[..], b"!", &user[..]].concat()),
                    (address, _) => address,
                }
            }
            b'N' => self.no_failure_mail = true,
            b'Z' => self.failure_mail = true,
            b'n' => self.success_mail = true,
            b'B' => self.return_input = true,
            b'E' => self.no_shell = true,
            b'e' => self.wants_shell = true,
            _ => {}
        }
        Ok(())
    }

    /// The content of the file, in Taylor's order of lines. Values are quoted if one of them holds a blank or a control
    /// character.
    ///
    /// # Errors
    /// When a value is empty: no line can say that.
    pub fn emit(&self) -> Result<Vec<u8>, SpoolError> {
        let lines = self.lines();
        let values = || lines.iter().flat_map(|(_, values)| values.iter().copied());
        if self.command.is_empty() || values().any(<[u8]>::is_empty) {
            return Err(SpoolError::Corrupt {
                path: PathBuf::from("X."),
                reason: "an empty word cannot stand in an execute file".to_owned(),
            });
        }
        let quoted = values().any(|value| value.iter().any(|b| must_be_quoted(*b)));
        let mut out = Vec::new();
        if quoted {
            out.extend_from_slice(b"Q\n");
        }
        for (letter, values) in &lines {
            out.push(*letter);
            for value in values {
                out.push(b' ');
                if quoted {
                    quote(value, &mut out);
                } else {
                    out.extend_from_slice(value);
                }
            }
            out.push(b'\n');
        }
        Ok(out)
    }

    /// The letters and their values, in order.
    fn lines(&self) -> Vec<(u8, Vec<&[u8]>)> {
        let mut lines: Vec<(u8, Vec<&[u8]>)> = Vec::new();
        if let Some((user, system)) = &self.user {
            lines.push((b'U', vec![user, system]));
        }
        for file in &self.files {
            let mut values = vec![file.name.as_bytes()];
            values.extend(file.run_name.as_deref());
            lines.push((b'F', values));
        }
        lines.extend(self.stdin.iter().map(|name| (b'I', vec![&name[..]])));
        if let Some((name, system)) = &self.stdout {
            let mut values = vec![&name[..]];
            values.extend(system.as_deref());
            lines.push((b'O', values));
        }
        lines.extend(self.requestor.iter().map(|name| (b'R', vec![&name[..]])));
        lines.extend(self.status_file.iter().map(|name| (b'M', vec![&name[..]])));
        lines.push((b'C', self.command.iter().map(Vec::as_slice).collect()));
        let flags = [
            (b'N', self.no_failure_mail),
            (b'Z', self.failure_mail),
            (b'n', self.success_mail),
            (b'B', self.return_input),
            (b'E', self.no_shell),
            (b'e', self.wants_shell),
        ];
        lines.extend(
            flags
                .into_iter()
                .filter(|(_, on)| *on)
                .map(|(letter, _)| (letter, Vec::new())),
        );
        lines
    }
}

/// Any other file of the queue is not the job's to take.
fn must_be_data(letter: char, name: &SpoolName) -> Result<(), String> {
    match name.kind() {
        SpoolKind::Data => Ok(()),
        _ => Err(format!(
            "its {letter} line names {}, which is no data file",
            name.as_str()
        )),
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|b| is_blank(*b)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn taylors_execute_file_for_an_e() {
        let content = b"U uucp alpha\nF D.alphaN0001\nI D.alphaN0001\nC rmail joe@x.example\n";
        let file = ExecuteFile::parse(content).unwrap();
        assert_eq!(file.user, Some((b"uucp".to_vec(), b"alpha".to_vec())));
        assert_eq!(file.files[0].name.as_str(), "D.alphaN0001");
        assert_eq!(file.stdin.as_deref(), Some(&b"D.alphaN0001"[..]));
        assert_eq!(file.command, [b"rmail".to_vec(), b"joe@x.example".to_vec()]);
        assert_eq!(file.emit().unwrap(), content);
    }

    #[test]
    fn every_letter_is_known_and_order_is_free() {
        let content = b"C rmail a\\040b\r\nQ\nF D.x \\176in\nF /etc/passwd x\nI D.x\nO out beta\nR ann host\nM stat\nN\nZ\nn\nB\nE\ne\nU ann beta\nW what\nCrmail z\n";
        let file = ExecuteFile::parse(content).unwrap();
        assert_eq!(file.command, [b"rmail".to_vec(), b"a b".to_vec()]);
        assert_eq!(file.files.len(), 1);
        assert_eq!(file.files[0].run_name.as_deref(), Some(&b"~in"[..]));
        assert_eq!(file.stdout, Some((b"out".to_vec(), Some(b"beta".to_vec()))));
        assert_eq!(file.requestor.as_deref(), Some(&b"host!ann"[..]));
        assert!(file.no_failure_mail && file.failure_mail && file.success_mail);
        assert!(file.return_input && file.no_shell && file.wants_shell);
        let emitted = file.emit().unwrap();
        assert!(emitted.starts_with(b"Q\nU ann beta\n"));
        assert_eq!(ExecuteFile::parse(&emitted).unwrap(), file);
    }

    #[test]
    fn what_is_cut_or_binary_is_told_and_never_run() {
        let whole = b"U uucp alpha\nF D.alphaN0001\nI D.alphaN0001\nC rmail joe@x.example\n";
        for length in 0..whole.len() {
            assert!(
                ExecuteFile::parse(&whole[..length]).is_err(),
                "{length} bytes"
            );
        }
        assert!(ExecuteFile::parse(b"C rmail\0x\n").is_err());
        assert!(ExecuteFile::parse(b"I two words\nC rmail x\n").is_err());
        for other in [
            "F C.betaN0001",
            "F X.betaN0001 in",
            "I X.betaN0001",
            "I C.betaN0001",
        ] {
            let said = ExecuteFile::parse(format!("{other}\nC rmail x\n").as_bytes());
            assert!(
                said.is_err_and(|said| said.contains("no data file")),
                "{other}"
            );
        }
        let twice = ExecuteFile::parse(b"Q\nF D.a in\nF D.b other\nF D.c \\151n\nC cat in\n");
        assert_eq!(twice.unwrap_err(), "two files are called in");
    }

    #[test]
    fn an_e_command_becomes_taylors_lines() {
        let request = crate::wire::command::Request::parse(
            b"E D.0001 D.alphaN0001 uucp -CNR D.0001 0666 boss@x 0x5 rmail joe@x.example ann",
        );
        let Ok(crate::wire::command::Request::Execute(request)) = request else {
            panic!("{request:?}");
        };
        let alpha = "alpha".parse().unwrap();
        let data = SpoolName::parse(b"D.alphaN0001").unwrap();
        let content = ExecuteFile::of_request(&request, &alpha, &data)
            .emit()
            .unwrap();
        assert_eq!(
            String::from_utf8(content).unwrap(),
            "U uucp alpha\nF D.alphaN0001\nI D.alphaN0001\nR boss@x\nC rmail joe@x.example ann\nN\n"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_do_not_but_never_panic(content: Vec<u8>) {
            let _ = ExecuteFile::parse(&content);
        }

        #[test]
        fn lines_of_this_alphabet_reach_a_fixed_point(content in "([CUFIORMNQZ] ?[A-Za-z0-9 .\\\\]{0,20}\n){1,8}") {
            if let Ok(file) = ExecuteFile::parse(content.as_bytes())
                && let Ok(emitted) = file.emit()
            {
                prop_assert_eq!(ExecuteFile::parse(&emitted).unwrap(), file);
            }
        }

        #[test]
        fn any_words_come_back(command in proptest::collection::vec(proptest::collection::vec(1..=255u8, 1..20), 1..5)) {
            let file = ExecuteFile { command, ..ExecuteFile::default() };
            prop_assert_eq!(ExecuteFile::parse(&file.emit().unwrap()).unwrap(), file);
        }
    }
}
