//! News of work, as it is queued: inotify(7) on the folders where work files and messages appear.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::name::SystemName;
use crate::spool::Spool;

/// The folders that are watched. Where the system has no watches left, work is found by looking.
#[derive(Debug)]
pub(super) struct WorkWatch {
    inotify: Option<Inotify>,
    systems: HashMap<WatchDescriptor, Option<SystemName>>,
}

/// What has happened since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Anything at all, such as a new folder.
    pub(super) any: bool,
    /// The systems for which work has come.
    pub(super) systems: Vec<SystemName>,
}

impl WorkWatch {
    /// Watches nothing yet.
    pub(super) fn new() -> Self {
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        Self {
            inotify: Inotify::init(flags).ok(),
            systems: HashMap::new(),
        }
    }

    /// Watches all folders that there are by now.
    pub(super) fn cover(&mut self, spool: &Spool) {
        let Some(inotify) = &self.inotify else {
            return;
        };
        let appears = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CREATE;
        for (folder, system) in spool.folders_of_work() {
            // A folder that is watched already keeps its number; one that is not there comes with news of its parent.
            if let Ok(watch) = inotify.add_watch(&folder, appears | AddWatchFlags::IN_ONLYDIR) {
                self.systems.insert(watch, system);
            }
        }
    }

    /// Reads what has happened.
    pub(super) fn read(&mut self) -> News {
        let mut news = News::default();
        let Some(inotify) = &self.inotify else {
            return news;
        };
        while let Ok(events) = inotify.read_events() {
            for event in events {
                news.any = true;
                if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    self.systems.remove(&event.wd);
                } else if let Some(Some(system)) = self.systems.get(&event.wd)
                    && !news.systems.contains(system)
                {
                    news.systems.push(system.clone());
                }
            }
        }
        news
    }

    /// Becomes readable when something happens.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }
}
