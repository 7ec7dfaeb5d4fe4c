//! A failure with a text that says what was attempted.

use crate::error::Error;
use crate::memory::{copy_text, text_of, try_arc};
use crate::services::future::Outcome;
use crate::socket_address::SocketAddress;
use std::ffi::CString;
use std::fmt::{self, Display, Formatter, Write as _};
use std::sync::Arc;

/// What went wrong: asyncio's OSError.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The public code, negative.
    pub code: i32,
    /// The text; none if there was no memory for it.
    pub text: Option<Arc<CString>>,
}

/// What a step of this service yields.
pub type Attempt<T> = std::result::Result<T, Trouble>;

impl Trouble {
    /// With a text of its own.
    pub fn new(code: i32, text: impl Display) -> Self {
        Trouble { code, text: text_of(text).and_then(|text| try_arc(text).ok()) }
    }

    /// How something else ended that failed.
    pub fn of(outcome: &Outcome) -> Self {
        let text = outcome.message().and_then(|text| try_arc(copy_text(text).ok()?).ok());
        Trouble { code: outcome.code(), text }
    }

    /// asyncio's words for a connection that did not come about.
    pub fn connecting(error: Error, address: &SocketAddress) -> Self {
        match error {
            Error::Sys(_) => {
                Trouble::new(error.code(), format_args!("Connect call failed {address}"))
            }
            error => error.into(),
        }
    }

    /// asyncio's words for an address that could not be taken.
    pub fn binding(error: Error, address: &SocketAddress) -> Self {
        let trouble = Trouble::from(error);
        let cause = Lowercase(trouble.with_number());
        let what = "error while attempting to bind on address";
        Trouble::new(error.code(), format_args!("{what} {address}: {cause}"))
    }

    /// As Python shows an OSError: the number in front.
    fn with_number(&self) -> WithNumber<'_> {
        WithNumber(self)
    }

    /// One for several, by asyncio's rules: alone, or if they all say the same,
    /// the first; otherwise all of their texts with the first one's code.
    pub fn combined(all: Vec<Trouble>, keep_all: bool) -> Self {
        let texts = Texts(&all);
        match all.first() {
            None => Trouble::new(-libc::ETIMEDOUT, "create_connection failed"),
            Some(first) if keep_all => {
                Trouble::new(first.code, format_args!("create_connection failed: {texts}"))
            }
            Some(first) if all.iter().all(|other| other == first) => first.clone(),
            Some(first) => Trouble::new(first.code, format_args!("Multiple exceptions: {texts}")),
        }
    }

    /// As the end of a future.
    pub fn outcome(self) -> Outcome {
        if self.code == Error::Cancelled.code() {
            return Outcome::Cancelled(None);
        }
        let text = self.text.and_then(|text| match Arc::try_unwrap(text) {
            Ok(text) => Some(text),
            Err(shared) => copy_text(&shared).ok(),
        });
        Outcome::failure(self.code, text)
    }
}

impl Display for Trouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.write_str(text.to_str().unwrap_or_default()),
            None => Ok(()),
        }
    }
}

struct WithNumber<'a>(&'a Trouble);

impl Display for WithNumber<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.code {
            code if code > -1000 => write!(f, "[Errno {}] {}", -code, self.0),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// In small letters.
struct Lowercase<T>(T);

impl<T: Display> Display for Lowercase<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        struct Small<'a, 'b>(&'a mut Formatter<'b>);
        impl fmt::Write for Small<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().flat_map(char::to_lowercase).try_for_each(|c| self.0.write_char(c))
            }
        }
        write!(Small(f), "{}", self.0)
    }
}

/// Several, with commas.
struct Texts<'a>(&'a [Trouble]);

impl Display for Texts<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, trouble) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", trouble.with_number())?;
        }
        Ok(())
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::new(error.code(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_combined_as_asyncio_does() {
        let refused = Trouble::from(Error::Sys(libc::ECONNREFUSED));
        let unreachable = Trouble::from(Error::Sys(libc::ENETUNREACH));
        assert_eq!(Trouble::combined(vec![refused.clone()], false), refused);
        assert_eq!(Trouble::combined(vec![refused.clone(), refused.clone()], false), refused);
        assert_eq!(refused.to_string(), "Connection refused");
        // The words for the other one are each C library's own.
        let text = format!(
            "Multiple exceptions: [Errno {}] {refused}, [Errno {}] {unreachable}",
            libc::ECONNREFUSED,
            libc::ENETUNREACH
        );
        let both = vec![refused, unreachable];
        assert_eq!(Trouble::combined(both.clone(), false), Trouble::new(-libc::ECONNREFUSED, text));
        assert!(
            Trouble::combined(both, true).to_string().starts_with("create_connection failed: ")
        );
        assert_eq!(Trouble::combined(Vec::new(), false).code, -libc::ETIMEDOUT);
    }
}
