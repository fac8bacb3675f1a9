//! A log of `strace -f -y`, read into steps.
//!
//! A call that another process interrupts stands on two lines; it then begins at the first and ends at the second. What a
//! program *promises* counts from the beginning of the call that says so, what it has *done* only from the end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peers::Peers;

/// The calls that say something about files, answers and children.
const TRACED: &str = "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,read,readv,recvfrom,recvmsg,\
fsync,fdatasync,syncfs,sync,rename,renameat,renameat2,link,linkat,symlink,unlink,unlinkat,mkdir,mkdirat,ftruncate,truncate,\
copy_file_range,fadvise64,sendfile,splice,chdir,execve,wait4,waitid";

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line of the log, from 1.
    pub line: usize,
    /// The process (or thread).
    pub pid: u32,
    /// What.
    pub what: What,
}

/// Kinds of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A call was made.
    Begin(Call),
    /// A call came back.
    End(Call, Outcome),
    /// The process ended by itself.
    Exited(i32),
    /// The process was ended by a signal.
    Killed,
}

/// A system call as printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// All that stood between the parentheses.
    pub arguments: String,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The number before any annotation; -1 for an error.
    pub value: i64,
    /// The path of the descriptor that came back, if one did.
    pub path: Option<String>,
}

impl Call {
    /// The path of the descriptor that is the argument at `index`.
    pub fn descriptor_path(&self, index: usize) -> Option<String> {
        let argument = self.split().into_iter().nth(index)?;
        annotation(&argument)
    }

    /// The quoted string that is the argument at `index`.
    pub fn string(&self, index: usize) -> Option<String> {
        let argument = self.split().into_iter().nth(index)?;
        let inner = argument.strip_prefix('"')?;
        let end = inner.rfind('"')?;
        Some(inner[..end].to_owned())
    }

    /// The arguments, split at the commas that are not inside quotes, brackets or annotations.
    pub fn split(&self) -> Vec<String> {
        let mut parts = vec![String::new()];
        let (mut quoted, mut escaped, mut depth) = (false, false, 0_i32);
        for c in self.arguments.chars() {
            if quoted {
                quoted = escaped || c != '"';
                escaped = !escaped && c == '\\';
            } else {
                match c {
                    '"' => quoted = true,
                    '[' | '{' | '<' | '(' => depth += 1,
                    ']' | '}' | '>' | ')' => depth -= 1,
                    ',' if depth <= 0 => {
                        parts.push(String::new());
                        continue;
                    }
                    _ => {}
                }
            }
            if let Some(last) = parts.last_mut() {
                last.push(c);
            }
        }
        parts.iter().map(|part| part.trim().to_owned()).collect()
    }
}

/// `3</some/path>` -> `/some/path`.
fn annotation(text: &str) -> Option<String> {
    let start = text.find('<')?;
    let end = text.rfind('>')?;
    text.get(start + 1..end).map(str::to_owned)
}

/// A command that runs `command` (its program, arguments, environment) under strace, with the log in `log`.
///
/// The ids to run as are those of `command`'s caller: pass them with `user`.
pub fn traced(peers: &Peers, command: &Command, user: Option<(u32, u32)>, log: &Path) -> Command {
    let mut strace = peers.strace();
    strace
        .args(["-f", "-y", "-s", "8192", "-e"])
        .arg(format!("trace={TRACED}"))
        .args(["-e", "signal=none", "-o"])
        .arg(log);
    if let Some((uid, gid)) = user {
        // strace stays root, what it starts changes: the log may lie where only root writes.
        strace.arg("setpriv").args([
            format!("--reuid={uid}"),
            format!("--regid={gid}"),
            "--clear-groups".into(),
        ]);
    }
    strace.arg(command.get_program()).args(command.get_args());
    strace.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            strace.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        strace.current_dir(folder);
    }
    strace.stdin(std::process::Stdio::null());
    strace
}

/// Reads a whole log.
pub fn parse(log: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut pending: HashMap<u32, Call> = HashMap::new();
    for (index, text) in log.lines().enumerate() {
        let Some((pid, rest)) = process_id(text) else {
            continue;
        };
        let line = index + 1;
        let mut push = |what| steps.push(Step { line, pid, what });
        if let Some(status) = rest.strip_prefix("+++ exited with ") {
            let code = status
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok());
            push(What::Exited(code.unwrap_or(-1)));
        } else if rest.starts_with("+++ killed by ") {
            push(What::Killed);
        } else if let Some(rest) = rest.strip_prefix("<... ") {
            if let Some(begun) = pending.remove(&pid)
                && let Some((_, tail)) = rest.split_once(" resumed>")
                && let Some((arguments, outcome)) = split_outcome(tail)
            {
                let arguments = begun.arguments + arguments;
                push(What::End(
                    Call {
                        name: begun.name,
                        arguments,
                    },
                    outcome,
                ));
            }
        } else if let Some(cut) = rest.strip_suffix(" <unfinished ...>") {
            if let Some((name, arguments)) = cut.split_once('(') {
                let call = Call {
                    name: name.to_owned(),
                    arguments: arguments.to_owned(),
                };
                pending.insert(pid, call.clone());
                push(What::Begin(call));
            }
        } else if let Some((name, tail)) = rest.split_once('(')
            && let Some((arguments, outcome)) = split_outcome(tail)
        {
            let call = Call {
                name: name.to_owned(),
                arguments: arguments.to_owned(),
            };
            push(What::Begin(call.clone()));
            push(What::End(call, outcome));
        }
    }
    steps
}

/// With one process alone, strace prints no process id.
fn process_id(line: &str) -> Option<(u32, &str)> {
    let (word, rest) = line.split_once(' ')?;
    match word.parse() {
        Ok(pid) => Some((pid, rest.trim_start())),
        Err(_) => Some((0, line)),
    }
}

fn split_outcome(tail: &str) -> Option<(&str, Outcome)> {
    let at = tail
        .rfind(") = ")
        .or_else(|| tail.rfind(")  ").filter(|_| tail.contains(" = ")))?;
    let arguments = tail.get(..at)?;
    let result = tail.get(at..)?.split_once("= ")?.1;
    let number = result.split([' ', '<']).next()?;
    Some((
        arguments,
        Outcome {
            value: number.parse().unwrap_or(0),
            path: annotation(result),
        },
    ))
}

/// Makes `path` absolute, without touching the disk.
pub fn absolute(base: &Path, path: &str) -> PathBuf {
    let mut result = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                result.pop();
            }
            part => result.push(part),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(step: &Step) -> (&Call, &Outcome) {
        match &step.what {
            What::End(call, outcome) => (call, outcome),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_on_one_line_begins_and_ends() {
        let steps =
            parse("12 openat(AT_FDCWD</w>, \"D./a,b\", O_WRONLY|O_CREAT, 0600) = 3</w/D./a,b>\n");
        assert_eq!(steps.len(), 2);
        let (call, outcome) = end(&steps[1]);
        assert_eq!(call.string(1).as_deref(), Some("D./a,b"));
        assert_eq!(call.descriptor_path(0).as_deref(), Some("/w"));
        assert_eq!(outcome.value, 3);
        assert_eq!(outcome.path.as_deref(), Some("/w/D./a,b"));
    }

    #[test]
    fn an_interrupted_call_begins_early_and_ends_late() {
        let log = "7 fsync(3</w/a> <unfinished ...>\n8 write(1</dev/null>, \"x\", 1) = 1\n7 <... fsync resumed>) = 0\n";
        let steps = parse(log);
        let lines: Vec<_> = steps.iter().map(|step| (step.line, step.pid)).collect();
        assert_eq!(lines, [(1, 7), (2, 8), (2, 8), (3, 7)]);
        assert_eq!(end(&steps[3]).0.descriptor_path(0).as_deref(), Some("/w/a"));
    }

    #[test]
    fn errors_exits_and_quotes_are_read() {
        let log = "7 unlink(\"a\\\"),b\") = -1 ENOENT (No such file or directory)\n7 +++ exited with 75 +++\n7 +++ killed by SIGKILL +++\n";
        let steps = parse(log);
        assert_eq!(end(&steps[1]).0.string(0).as_deref(), Some("a\\\"),b"));
        assert_eq!(end(&steps[1]).1.value, -1);
        assert_eq!(steps[2].what, What::Exited(75));
        assert_eq!(steps[3].what, What::Killed);
    }

    #[test]
    fn relative_names_are_made_absolute() {
        assert_eq!(absolute(Path::new("/s"), "./a/../b"), Path::new("/s/b"));
        assert_eq!(absolute(Path::new("/s"), "/x"), Path::new("/x"));
    }
}
