//! A number of the input's own, for messages that nothing else tells from others: see [`Identity::of_place`].
//!
//! [`Identity::of_place`]: uucp_core::delivery::Identity::of_place

use std::io;

use uucp_core::clock;
use uucp_core::receive::{Marks, Origin, Site};
use uucp_core::spool::ObservedTime;

/// The number of one input. Where its carrier tells it from any other, for good, that is its number; else one is drawn when
/// it is first needed, and kept until the input is done.
#[derive(Debug)]
pub(crate) struct Series {
    marks: Marks,
    key: Vec<u8>,
    number: Option<String>,
}

impl Series {
    /// The input is known by its job, else by a hash of what begins it.
    pub(crate) fn new(site: &Site, origin: &Origin, beginning: &[u8]) -> Self {
        let key = if origin.job.is_empty() {
            beginning
        } else {
            &origin.job
        };
        Self {
            marks: Marks::new(&site.around.state, "series", origin.neighbour.as_ref()),
            key: key.to_vec(),
            number: (!origin.instance.is_empty())
                .then(|| String::from_utf8_lossy(&origin.instance).into_owned()),
        }
    }

    /// The number; empty in a trial, which writes nothing.
    pub(crate) fn number(&mut self, now: ObservedTime, is_trial: bool) -> io::Result<String> {
        if self.number.is_none() && !is_trial {
            let drawn = format!(
                "{}.{}",
                clock::now().timestamp().as_nanosecond(),
                std::process::id()
            );
            self.number = Some(self.marks.get_or_make(&self.key, &drawn, now)?.text);
        }
        Ok(self.number.clone().unwrap_or_default())
    }

    /// The input is done: an equal one is another.
    pub(crate) fn end(&self) {
        self.marks.remove(&self.key);
    }
}
