//! Execute files (`X.`): what is to be run, with which files, and whom to tell.

use super::SpoolError;
use crate::name::SpoolName;

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
    /// Parses an execute file's content.
    ///
    /// # Errors
    /// The reason, where the content is cut, binary, or has no command.
    pub fn parse(_content: &[u8]) -> Result<Self, String> {
        todo!()
    }

    /// The content of the file, in Taylor's order of lines.
    ///
    /// # Errors
    /// When a value cannot stand in such a file even when quoted.
    pub fn emit(&self) -> Result<Vec<u8>, SpoolError> {
        todo!()
    }
}
