//! System calls that a thread which talks to another system has no use for (seccomp, on the processors that the filter is
//! made for).
//!
//! Landlock knows of files and of TCP; a mistake could still be used against the kernel, against other processes of the same
//! user, or to send datagrams. What is refused fails with `EPERM`, as it does for want of a privilege. It is a list of what
//! is dangerous, not of what is needed: what the libraries take for files, memory and threads changes from one release of
//! theirs to the next.

use nix::libc;
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

/// Programs, other processes, and parts of the kernel that only administrators and debuggers need.
const REFUSED: [libc::c_long; 33] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_mknodat,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_swapon,
    libc::SYS_reboot,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
];

/// Takes them away from this thread, and from all that it starts; for good.
///
/// # Errors
/// Why it could not be done: the kernel cannot, or there is no filter for this processor.
pub(super) fn refuse() -> Result<(), String> {
    let architecture =
        TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let filter = filter(architecture).map_err(|error| error.to_string())?;
    let program: seccompiler::BpfProgram = filter
        .try_into()
        .map_err(|error: seccompiler::BackendError| error.to_string())?;
    apply_filter(&program).map_err(|error| error.to_string())
}

fn filter(architecture: TargetArch) -> Result<SeccompFilter, seccompiler::BackendError> {
    // Sockets of this machine stay: the services that know its users are behind them.
    let beyond_the_machine = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Ne,
        u64::from(libc::AF_UNIX.unsigned_abs()),
    )?;
    let sockets = (
        libc::SYS_socket,
        vec![SeccompRule::new(vec![beyond_the_machine])?],
    );
    let rules = REFUSED
        .iter()
        .map(|number| (*number, Vec::new()))
        .chain([sockets]);
    SeccompFilter::new(
        rules.collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        architecture,
    )
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixDatagram;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Whether this kernel has seccomp, on a processor that there is a filter for.
    pub(crate) fn can_refuse() -> bool {
        let known = cfg!(any(
            target_arch = "x86_64",
            target_arch = "aarch64",
            target_arch = "riscv64"
        ));
        known && Path::new("/proc/sys/kernel/seccomp/actions_avail").exists()
    }

    #[test]
    fn a_thread_without_them_starts_nothing_and_reaches_no_other_machine() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let thread = std::thread::spawn(move || {
            if let Err(reason) = refuse() {
                assert!(!can_refuse(), "{reason}");
                crate::skip::skip("threads with few system calls", &reason);
                return;
            }
            let denied = |result: std::io::Result<()>| {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied);
            };
            denied(Command::new("/bin/true").spawn().map(drop));
            denied(UdpSocket::bind("127.0.0.1:0").map(drop));
            denied(UdpSocket::bind("[::1]:0").map(drop));
            denied(TcpStream::connect(listener.local_addr().unwrap()).map(drop));
            denied(nix::unistd::chroot("/").map_err(Into::into));
            UnixDatagram::unbound().unwrap();
            std::thread::spawn(|| ()).join().unwrap();
        });
        thread.join().unwrap();
        // The others are as free as before.
        assert!(Command::new("/bin/true").status().unwrap().success());
        UdpSocket::bind("127.0.0.1:0").unwrap();
    }

    #[test]
    fn there_is_a_filter_for_each_processor_that_it_knows() {
        for architecture in [TargetArch::x86_64, TargetArch::aarch64, TargetArch::riscv64] {
            let program: Result<seccompiler::BpfProgram, _> =
                filter(architecture).unwrap().try_into();
            assert!(program.is_ok());
        }
    }
}
