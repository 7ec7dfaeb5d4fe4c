//! What a number meant when it was added, where nobody else remembers it: the
//! identity of its file. Without epoll's or a kqueue's help a closed number that
//! was given to another file is recognised only by asking which file it is. Two
//! files that the system gives the same identity (on Linux: two eventfds) pass
//! for one.

use crate::error::{Error, Result};
use crate::fd_table::Interest;
use crate::platform;
use crate::platform::fd::RawFd;
use polling::{Event, Poller};

/// The files behind numbers. polling is given the number as a key.
pub struct Known {
    by_fd: Vec<Option<Watched>>,
}

#[derive(Clone, Copy)]
struct Watched {
    key: usize,
    file: File,
}

/// Device and number on it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct File(u64, u64);

impl Known {
    /// Nothing is known.
    pub fn new() -> Self {
        Known { by_fd: Vec::new() }
    }

    /// poll has no descriptor.
    pub fn backend_fd(&self, _: &Poller) -> Result<RawFd> {
        Err(Error::Unsupported("poll has no descriptor that another loop could wait on"))
    }

    /// A descriptor is about to be added: the key to add it with.
    pub fn admit(&mut self, fd: RawFd, key: usize) -> Result<usize> {
        let file = watchable(fd)?;
        let place = usize::try_from(fd).map_err(|_| Error::BadDescriptor(fd))?;
        if place >= self.by_fd.len() {
            let more = place + 1 - self.by_fd.len();
            self.by_fd.try_reserve(more).map_err(|_| Error::NO_MEMORY)?;
            self.by_fd.resize(place + 1, None);
        }
        self.by_fd[place] = Some(Watched { key, file });
        Ok(place)
    }

    /// Does the number mean the file that was added? Then its key becomes this
    /// one; polling's is returned.
    pub fn check(&mut self, _: &Poller, fd: RawFd, key: usize) -> Result<usize> {
        let file = watchable(fd)?;
        match self.by_fd.get_mut(fd as usize) {
            Some(Some(watched)) if watched.file == file => {
                watched.key = key;
                Ok(fd as usize)
            }
            _ => Err(Error::Sys(libc::ENOENT)),
        }
    }

    /// Will it be told of what was just asked for? poll always tells.
    pub fn is_heard(&self, _: &Poller, _: RawFd, _: &Event) -> Result<()> {
        Ok(())
    }

    /// The descriptor is not watched any more.
    pub fn forget(&mut self, fd: RawFd) {
        if let Some(place) = self.by_fd.get_mut(fd as usize) {
            *place = None;
        }
    }

    /// The key of the watch that an event is for, or the descriptor that must not
    /// be watched any more. poll reports for ever what means no open file, with
    /// neither direction.
    pub fn meaning(
        &self,
        key: usize,
        interest: Interest,
    ) -> std::result::Result<usize, Option<RawFd>> {
        let fd = key as RawFd;
        match self.by_fd.get(key) {
            Some(Some(watched)) if !interest.is_none() && watchable(fd) == Ok(watched.file) => {
                Ok(watched.key)
            }
            _ => Err(Some(fd)),
        }
    }
}

/// The file of an open descriptor that can be waited for.
fn watchable(fd: RawFd) -> Result<File> {
    let status = platform::file_status(fd).map_err(Error::Sys)?;
    match status.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFDIR => Err(Error::Sys(libc::EPERM)),
        _ => Ok(File(status.st_dev as u64, status.st_ino as u64)),
    }
}
