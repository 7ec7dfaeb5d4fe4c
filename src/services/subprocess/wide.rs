//! Windows' 16-bit texts, made of the host's UTF-8.

use crate::error::{Error, Result};
use std::ffi::CStr;

/// A text; what is given to the system ends with 0.
pub type Wide = Vec<u16>;

/// The host's text.
pub fn utf8(text: &CStr) -> Result<&str> {
    text.to_str().map_err(|_| Error::Invalid("a text is not UTF-8"))
}

/// Appends `text`, and leaves room for a 0.
pub fn push(wide: &mut Wide, text: &str) -> Result<()> {
    // As many bytes as units, or more.
    wide.try_reserve(text.len() + 1).map_err(|_| Error::NO_MEMORY)?;
    wide.extend(text.encode_utf16());
    Ok(())
}

/// The texts one after the other, ended by 0.
pub fn of(texts: &[&str]) -> Result<Wide> {
    let mut wide = Wide::new();
    texts.iter().try_for_each(|text| push(&mut wide, text))?;
    end(&mut wide)?;
    Ok(wide)
}

/// Ends a text.
pub fn end(wide: &mut Wide) -> Result<()> {
    crate::memory::try_push(wide, 0)
}

/// What a call of the system writes into the buffer it is given, whose answer is
/// the length, or, if that is too small, the size it takes; none for 0.
pub fn asked(call: impl Fn(*mut u16, u32) -> u32) -> Result<Option<String>> {
    let mut wide = Wide::new();
    loop {
        wide.try_reserve_exact(wide.capacity().max(256)).map_err(|_| Error::NO_MEMORY)?;
        let room = u32::try_from(wide.capacity()).unwrap_or(u32::MAX);
        let length = call(wide.as_mut_ptr(), room);
        if length == 0 {
            return Ok(None);
        }
        if length < room {
            // SAFETY: the call has written so many.
            unsafe { wide.set_len(length as usize) };
            break;
        }
    }
    let mut text = String::new();
    text.try_reserve(wide.len() * 3).map_err(|_| Error::NO_MEMORY)?;
    let characters = char::decode_utf16(wide);
    text.extend(characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)));
    Ok(Some(text))
}
