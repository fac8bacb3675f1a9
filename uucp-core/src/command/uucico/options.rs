//! The command line, as Taylor's and Debian's `uucico` take it.

use std::num::NonZeroUsize;

use clap::{ArgGroup, Parser};

use super::parse_grade;
use crate::command::common::Common;
use crate::name::{Grade, SystemName};

/// Call other systems, answer their calls, and move what is queued.
#[derive(Debug, Parser)]
#[command(
    name = "uucico",
    version,
    group = ArgGroup::new("several").args(["daemon", "master", "state"]).multiple(true),
    disable_version_flag = true,
    after_help = "Examples:\n  uucico -S hub                  call the system 'hub' now, whatever the last call came to\n  uucico -r1                     call every system that has work, in any order\n  uucico -r1 --max-calls 4       the same, four at a time\n  uucico -l                      answer on standard input with login prompts (inetd, ssh)\n  uucico --login leaf --prompt   as before, for one login name (an ssh forced command)\n  uucico -e -p 540               wait for calls on TCP port 540, a process for each\n  uucico --daemon -p 540         do both, and call again when work comes"
)]
pub(super) struct Arguments {
    /// Call this system
    #[arg(short = 's', long = "system", value_name = "SYSTEM")]
    pub(super) system: Option<SystemName>,
    /// Call this system, whatever the last call came to
    #[arg(short = 'S', value_name = "SYSTEM", conflicts_with = "system")]
    pub(super) forced_system: Option<SystemName>,
    /// Do not wait after earlier failures
    #[arg(short = 'f', long)]
    pub(super) force: bool,
    /// Transfer only jobs of this grade or more urgent ones
    #[arg(short = 'g', long, value_name = "GRADE", value_parser = parse_grade)]
    pub(super) grade: Option<Grade>,
    /// 1: call (all systems with work, or the one named); 0: answer
    #[arg(short = 'r', value_name = "STATE", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub(super) state: Option<u8>,
    /// Same as -r1
    #[arg(long, conflicts_with = "slave")]
    pub(super) master: bool,
    /// Same as -r0
    #[arg(long)]
    pub(super) slave: bool,
    /// Call on, or wait on, this port of the port file; a number is a TCP port to wait on. --daemon waits on several
    #[arg(short = 'p', long = "port", value_name = "PORT")]
    pub(super) ports: Vec<String>,
    /// Answer with prompts for login name and password
    #[arg(short = 'l', long)]
    pub(super) prompt: bool,
    /// Wait for calls without end, with prompts for login name and password
    #[arg(short = 'e', long = "loop")]
    pub(super) endless: bool,
    /// After calling, wait for calls without end
    #[arg(short = 'w', long)]
    pub(super) wait: bool,
    /// Stay, wait for calls (on the port of -p, or on systemd's sockets) and call whenever there is work
    #[arg(long, conflicts_with_all = ["endless", "prompt", "wait", "system", "forced_system", "slave"])]
    pub(super) daemon: bool,
    /// How many systems are called at once: with -r1 one unless given, with --daemon 4
    #[arg(long, value_name = "N", value_parser = parse_calls, requires = "several", conflicts_with_all = ["system", "forced_system", "slave"])]
    pub(super) max_calls: Option<NonZeroUsize>,
    /// With --daemon: the least number of seconds between two calls with one system
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10,
        requires = "daemon"
    )]
    pub(super) gap: u64,
    /// Print what neighbours need to know of our key for TLS (of -p's port, or the first of type tls); make key and certificate
    /// if there are none
    #[arg(long, conflicts_with_all = ["daemon", "endless", "prompt", "wait", "system", "forced_system", "master", "slave", "state"])]
    pub(super) certificate: bool,
    /// Do not start uuxqt when done
    #[arg(short = 'q', long = "nouuxqt")]
    pub(super) no_uuxqt: bool,
    /// Say nothing when a call may not be made now or there is no work
    #[arg(short = 'c', long)]
    pub(super) quiet: bool,
    /// Call only if there is work
    #[arg(short = 'C', long = "ifwork")]
    pub(super) if_work: bool,
    /// Wait for the end of uuxqt (uucico itself never detaches from the terminal)
    #[arg(short = 'D', long = "nodetach")]
    pub(super) no_detach: bool,
    /// The login name of the caller; with --prompt only its password is asked for
    #[arg(short = 'u', long = "login", value_name = "NAME")]
    pub(super) login: Option<String>,
    /// The type of standard input (only TLI is known to the original; taken and ignored)
    #[arg(short = 'i', long = "stdin", value_name = "TYPE")]
    pub(super) stdin: Option<String>,
    /// If a call fails, try the next alternate
    #[arg(short = 'z', long = "try-next")]
    pub(super) try_next: bool,
    #[command(flatten)]
    pub(super) common: Common,
    /// Standard input is a connection that came in on this port and was prompted; what uucico starts itself with
    #[arg(long, hide = true, value_name = "PORT")]
    pub(super) accepted: Option<String>,
    /// One of several calls that are made side by side; what uucico starts itself with
    #[arg(long, hide = true, requires = "system")]
    pub(super) of_round: bool,
    /// One of the daemon's calls
    #[arg(long, hide = true, requires = "system", conflicts_with = "of_round")]
    pub(super) of_daemon: bool,
}

fn parse_calls(text: &str) -> Result<NonZeroUsize, String> {
    let wrong = |_| "give the number of calls at once, 1 or more".to_owned();
    text.parse().map_err(wrong)
}

impl Arguments {
    /// Whether calls are to be placed.
    pub(super) fn is_master(&self) -> bool {
        let named = self.named_system().is_some();
        !self.slave && self.state != Some(0) && (self.master || self.state == Some(1) || named)
    }

    /// Whether it answers the one call that it is started for.
    pub(super) fn answers_here(&self) -> bool {
        !self.is_master() && !self.daemon && !self.certificate && !self.endless
    }

    /// Whether it is one of several calls side by side, whose lines are waited for.
    pub(super) fn is_one_of_several(&self) -> bool {
        self.of_round || self.of_daemon
    }

    /// The one port that counts where there can be but one.
    pub(super) fn port(&self) -> Option<&String> {
        self.ports.last()
    }

    /// The system asked for by name.
    pub(super) fn named_system(&self) -> Option<&SystemName> {
        self.forced_system.as_ref().or(self.system.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Arguments {
        let words = std::iter::once("uucico").chain(line.split_whitespace());
        Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_published_way_to_call_is_understood() {
        for line in [
            "-Sbeta",
            "-S beta",
            "-sbeta -f",
            "-CsSYS",
            "-r1",
            "-r 1 -sbeta",
            "--master --system beta",
            "--system=beta -z -D",
            "-r1 -x 4 -q",
            "-sbeta -x chat,handshake -X 3",
            "-I /etc/uucp/config -S beta -pstdin -q",
            "-gC -S beta",
        ] {
            assert!(parse(line).is_master(), "{line}");
        }
        for line in [
            "",
            "-l",
            "-lq",
            "-r0",
            "--slave",
            "--debug 5 --prompt --login arch.example",
            "-e -p 540",
            "--config F --port 5540 --loop",
            "-D -l -p tcpin",
            "-l -i TLI",
            "-u Ualpha",
        ] {
            assert!(!parse(line).is_master(), "{line}");
        }
        for line in ["-r1", "--master", "--daemon"] {
            let calls = parse(&format!("{line} --max-calls 3")).max_calls;
            assert_eq!(calls, NonZeroUsize::new(3), "{line}");
        }
        assert!(parse("-CsSYS").if_work);
        assert_eq!(parse("-Sbeta").named_system().unwrap().as_str(), "beta");
    }

    #[test]
    fn every_option_is_in_the_manual_page() {
        let page = include_str!("../../../man/uucico.8.md");
        for option in Arguments::command().get_arguments() {
            if option.is_hide_set() {
                continue;
            }
            if let Some(long) = option.get_long() {
                assert!(page.contains(&format!("**\\--{long}**")), "--{long}");
            }
            if let Some(short) = option.get_short() {
                assert!(page.contains(&format!("**-{short}**")), "-{short}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "-r2",
            "-g !",
            "-s ../x",
            "--no-such-option",
            "-s a -S b",
            "--max-calls 2",
            "-r1 --max-calls 0",
            "-r1 -s a --max-calls 2",
            "--slave --max-calls 2",
        ] {
            let words = std::iter::once("uucico").chain(line.split_whitespace());
            assert!(Arguments::try_parse_from(words).is_err(), "{line}");
        }
        let error = Arguments::try_parse_from(["uucico", "-r1", "--max-calls", "0"]).unwrap_err();
        assert!(error.to_string().contains("1 or more"), "{error}");
    }
}
