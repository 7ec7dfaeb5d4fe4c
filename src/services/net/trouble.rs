//! A failure with a text that says what was attempted.

use crate::error::Error;
use crate::services::future::Outcome;
use crate::socket_address::SocketAddress;
use std::ffi::CString;

/// What went wrong: asyncio's OSError.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The public code, negative.
    pub code: i32,
    /// The text.
    pub text: String,
}

/// What a step of this service yields.
pub type Attempt<T> = std::result::Result<T, Trouble>;

impl Trouble {
    /// With a text of its own.
    pub fn new(code: i32, text: impl Into<String>) -> Self {
        Trouble { code, text: text.into() }
    }

    /// How something else ended that failed.
    pub fn of(outcome: &Outcome) -> Self {
        let text = outcome.message().map(|text| text.to_string_lossy().into_owned());
        Trouble::new(outcome.code(), text.unwrap_or_default())
    }

    /// asyncio's words for a connection that did not come about.
    pub fn connecting(error: Error, address: &SocketAddress) -> Self {
        match error {
            Error::Sys(_) => Trouble::new(error.code(), format!("Connect call failed {address}")),
            error => error.into(),
        }
    }

    /// asyncio's words for an address that could not be taken.
    pub fn binding(error: Error, address: &SocketAddress) -> Self {
        let cause = Trouble::from(error).with_number().to_lowercase();
        let text = format!("error while attempting to bind on address {address}: {cause}");
        Trouble::new(error.code(), text)
    }

    /// As Python shows an OSError: the number in front.
    pub fn with_number(&self) -> String {
        match self.code {
            code if code > -1000 => format!("[Errno {}] {}", -code, self.text),
            _ => self.text.clone(),
        }
    }

    /// One for several, by asyncio's rules: alone, or if they all say the same,
    /// the first; otherwise all of their texts with the first one's code.
    pub fn combined(all: Vec<Trouble>, keep_all: bool) -> Self {
        let texts = || all.iter().map(Trouble::with_number).collect::<Vec<_>>().join(", ");
        match all.first() {
            None => Trouble::new(-libc::ETIMEDOUT, "create_connection failed"),
            Some(first) if keep_all => {
                Trouble::new(first.code, format!("create_connection failed: {}", texts()))
            }
            Some(first) if all.iter().all(|other| other == first) => first.clone(),
            Some(first) => Trouble::new(first.code, format!("Multiple exceptions: {}", texts())),
        }
    }

    /// As the end of a future.
    pub fn outcome(self) -> Outcome {
        if self.code == Error::Cancelled.code() {
            return Outcome::Cancelled(None);
        }
        Outcome::failure(self.code, CString::new(self.text).ok())
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::new(error.code(), error.to_string())
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
        let both = vec![refused, unreachable];
        assert_eq!(
            Trouble::combined(both.clone(), false),
            Trouble::new(
                -libc::ECONNREFUSED,
                "Multiple exceptions: [Errno 111] Connection refused, \
                 [Errno 101] Network is unreachable"
            )
        );
        assert!(Trouble::combined(both, true).text.starts_with("create_connection failed: "));
        assert_eq!(Trouble::combined(Vec::new(), false).code, -libc::ETIMEDOUT);
    }
}
