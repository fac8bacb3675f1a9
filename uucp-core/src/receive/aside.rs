//! What cannot be understood, whole, for the postmaster to look at.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use jiff::Timestamp;

use super::Site;
use crate::delivery::settle::aside::Place;
use crate::name::SystemName;
use crate::report::note::{self, shown};
use crate::spool::{count_in_hour, make_shared_directory};

/// Notes about one neighbour in an hour: the first says where to look.
const NOTES_PER_HOUR: u32 = 1;

impl Site {
    /// Sets an input aside and tells the postmaster; gives its place, and a line that tells both.
    ///
    /// # Errors
    /// When it cannot be written. That the postmaster cannot be told is none: the line says so.
    pub fn set_aside(
        &self,
        neighbour: Option<&SystemName>,
        input: &mut dyn Read,
        length: u64,
        why: &str,
    ) -> io::Result<String> {
        let name = neighbour.map_or("-", SystemName::as_str);
        let place = Place {
            folder: &self.around.state.join("aside").join(name),
            seconds: Timestamp::now().as_second(),
            suffix: "batch",
            limit: self.mail.policy(neighbour).kept_limit,
        };
        let path = place.store(input, length)?;
        let line = format!("set aside as {}: {why}", path.display());
        Ok(match self.tell_of_aside(neighbour, &path, why) {
            Ok(()) => line,
            Err(error) => format!("{line}; the postmaster cannot be told: {error}"),
        })
    }

    /// As [`Site::set_aside`], for a file.
    ///
    /// # Errors
    /// As for [`Site::set_aside`].
    pub fn set_aside_file(
        &self,
        neighbour: Option<&SystemName>,
        file: &Path,
        why: &str,
    ) -> io::Result<String> {
        let mut input = File::open(file)?;
        let length = input.metadata()?.len();
        self.set_aside(neighbour, &mut input, length, why)
    }

    fn tell_of_aside(
        &self,
        neighbour: Option<&SystemName>,
        path: &Path,
        why: &str,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let spool = self.spool.as_ref().ok_or("there is no spool")?;
        let folder = self.around.state.join("batch-notices");
        make_shared_directory(&folder)?;
        let file = folder.join(neighbour.map_or("-", SystemName::as_str));
        if !count_in_hour(&file, NOTES_PER_HOUR, self.observed_now()?)? {
            return Ok(());
        }
        let from = neighbour.map_or_else(|| "by hand".to_owned(), |n| format!("from {n}"));
        let text = format!(
            "What came {from} could not be understood, or not all of it:\n{}\n\nIt is kept whole as {}.\n\
             Mended, it can be handed to rsmtp again: messages that were delivered are not delivered twice.\n\n\
             Others of this hour lie in the same folder, without another note. The oldest go when there are more bytes than\n\
             kept-limit of mail.toml.\n",
            shown(why.as_bytes()),
            path.display()
        );
        note::tell_postmaster(spool, &self.mail, "UUCP mail set aside", &text)?;
        Ok(())
    }
}
