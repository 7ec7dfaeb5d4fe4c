//! Short texts that need no memory of their own.

use std::ffi::{CStr, c_char};
use std::fmt::{self, Write};

/// A text of at most `N` - 1 bytes; what is longer is cut off.
pub struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const fn new() -> Self {
        Text { bytes: [0; N], length: 0 }
    }

    /// What `value` displays as.
    pub fn of(value: impl fmt::Display) -> Self {
        let mut text = Text::new();
        // Cutting off is no error.
        let _ = fmt::write(&mut text, format_args!("{value}"));
        text
    }

    /// A copy of a C string.
    pub fn of_c_str(string: &CStr) -> Self {
        let mut text = Text::new();
        for chunk in string.to_bytes().utf8_chunks() {
            let _ = text.write_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                let _ = text.write_char(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The same as a C string; it ends at the first NUL.
    pub fn as_c_str(&self) -> &CStr {
        // The bytes after the text are NUL, so there is always one.
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    /// NUL-terminated, as long as `self` lives and does not move.
    pub fn as_ptr(&self) -> *const c_char {
        self.bytes.as_ptr().cast()
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, string: &str) -> fmt::Result {
        let mut count = string.len().min(N - 1 - self.length);
        while !string.is_char_boundary(count) {
            count -= 1;
        }
        self.bytes[self.length..self.length + count].copy_from_slice(&string.as_bytes()[..count]);
        self.length += count;
        self.bytes[self.length] = 0;
        Ok(())
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let text = Text::<8>::of("äöüß");
        assert_eq!(text.as_bytes(), "äöü".as_bytes());
        assert_eq!(Text::<8>::of("short").to_string(), "short");
        // SAFETY: the text lives here.
        assert_eq!(unsafe { CStr::from_ptr(Text::<8>::of(7).as_ptr()) }.to_bytes(), b"7");
    }
}
