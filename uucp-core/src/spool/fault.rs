//! A narrow seam for tests: every step that changes the disk asks here first.
//!
//! Outside of tests it costs nothing. In tests a thread can have its n-th step fail (a full disk, a failing one) or "die"
//! there: from then on no step of that thread does anything, clean-up included, as if it had been killed.

/// Asks whether a step may be done.
#[cfg(not(test))]
#[inline]
#[allow(
    clippy::unnecessary_wraps,
    reason = "the signature of the variant for tests, which does fail"
)]
pub(crate) fn step(_what: &'static str, _path: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

/// Writes all bytes, if that may be done.
#[cfg(not(test))]
pub(crate) fn write_all(
    mut file: &std::fs::File,
    _path: &std::path::Path,
    bytes: &[u8],
) -> std::io::Result<()> {
    std::io::Write::write_all(&mut file, bytes)
}

#[cfg(test)]
pub(crate) use armed::{Trouble, arm, disarm, record, step, write_all};

#[cfg(test)]
mod armed {
    use std::cell::RefCell;
    use std::fs::File;
    use std::io::{self, Write as _};
    use std::path::{Path, PathBuf};

    use nix::errno::Errno;

    /// What happens at the chosen step.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Trouble {
        /// The process dies before the step.
        Death,
        /// The step fails with "no space left on device"; the process lives on.
        DiskFull,
        /// The step fails with "operation not permitted", as a link to somebody else's file does; the process lives on.
        NotPermitted,
    }

    #[derive(Default)]
    struct Plan {
        steps_left: Option<usize>,
        trouble: Option<Trouble>,
        dead: bool,
        record: Vec<(&'static str, PathBuf)>,
    }

    thread_local! {
        static PLAN: RefCell<Plan> = RefCell::default();
    }

    /// From now on `steps` steps of this thread succeed; the one after that meets the trouble.
    pub(crate) fn arm(steps: usize, trouble: Trouble) {
        PLAN.with_borrow_mut(|plan| {
            *plan = Plan {
                steps_left: Some(steps),
                trouble: Some(trouble),
                ..Plan::default()
            };
        });
    }

    /// Ends all trouble; tells whether it was met.
    pub(crate) fn disarm() -> bool {
        PLAN.with_borrow_mut(|plan| {
            let met = plan.trouble.is_some() && plan.steps_left.is_none();
            *plan = Plan::default();
            met
        })
    }

    /// The steps done since the last call or change of plan.
    pub(crate) fn record() -> Vec<(&'static str, PathBuf)> {
        PLAN.with_borrow_mut(|plan| std::mem::take(&mut plan.record))
    }

    pub(crate) fn step(what: &'static str, path: &Path) -> io::Result<()> {
        PLAN.with_borrow_mut(|plan| {
            if plan.dead {
                return Err(io::Error::other("this process is dead (test)"));
            }
            match plan.steps_left {
                Some(0) => {
                    plan.steps_left = None;
                    plan.dead = plan.trouble == Some(Trouble::Death);
                    return Err(match plan.trouble {
                        Some(Trouble::NotPermitted) => Errno::EPERM.into(),
                        _ => io::ErrorKind::StorageFull.into(),
                    });
                }
                Some(n) => plan.steps_left = Some(n - 1),
                None => {}
            }
            plan.record.push((what, path.to_path_buf()));
            Ok(())
        })
    }

    /// A step as well. What meets the trouble writes half: so does a disk that becomes full, and who dies.
    pub(crate) fn write_all(mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let was_dead = PLAN.with_borrow(|plan| plan.dead);
        let may = step("write", path);
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        match may {
            Ok(()) => file.write_all(bytes),
            Err(error) if was_dead => Err(error),
            Err(error) => file.write_all(half).and(Err(error)),
        }
    }
}
