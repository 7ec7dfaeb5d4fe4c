//! What comes of starting a program.

use crate::error::Error;
use crate::platform::fd::OwnedFd;
use crate::services::children::Pidfd;

/// A program that runs.
pub struct Spawned {
    /// Its process.
    pub pid: i32,
    /// The same as a descriptor or handle, where there is such a thing.
    pub pidfd: Option<Pidfd>,
    /// Our ends of its pipes; they do not block.
    pub pipes: [Option<OwnedFd>; 3],
}

/// Why a program does not run.
pub enum Refused {
    /// Its working directory cannot be entered: the errno.
    Directory(i32),
    /// It cannot be executed: the errno.
    Program(i32),
    /// Another reason.
    Other(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Other(error)
    }
}
