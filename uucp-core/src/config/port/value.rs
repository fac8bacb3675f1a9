//! Arguments that stand in port and sys files alike.

use crate::config::command::Command;
use crate::config::error::ConfigError;

/// The letters of a `protocol` command; none at all means every protocol.
pub(in crate::config) fn protocols(command: Command<'_>) -> Result<Option<Vec<u8>>, ConfigError> {
    command.expect_arguments(0, 1)?;
    let letters = command.bytes(1);
    if !letters.iter().all(u8::is_ascii_alphanumeric) {
        let message = format!("'{}' is not a list of link protocols", command.shown(1));
        return Err(command.wrong(
            1,
            message,
            Some("write letters, for example tgi".to_owned()),
        ));
    }
    Ok((!letters.is_empty()).then(|| letters.to_vec()))
}

/// A range of speeds.
pub(in crate::config) fn speed_range(
    command: Command<'_>,
) -> Result<Option<(u32, u32)>, ConfigError> {
    command.expect_arguments(2, 2)?;
    let (least, most) = (command.number(1)?, command.number(2)?);
    if least > most {
        let mend = Some("write the lower speed first".to_owned());
        return Err(command.wrong(1, "the range is empty", mend));
    }
    Ok(Some((least, most)))
}

/// A speed; 0 is the natural speed of the line.
pub(in crate::config) fn speed(command: Command<'_>) -> Result<Option<u32>, ConfigError> {
    Ok(Some(command.one_number()?).filter(|speed| *speed != 0))
}
