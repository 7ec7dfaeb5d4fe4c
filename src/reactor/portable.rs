//! The reactor on everything but epoll: polling waits.
//!
//! What polling leaves open is added here. It keeps its own list of numbers and
//! does not notice that one was closed: `known` does, in the way that the backend
//! allows. It may report the directions of a descriptor one by one, and in any
//! order: they are joined, and come in the order in which the watches were made.
//! Its lists abort without memory: there must be some before they grow.

use super::keys::{FIRST_OWN_KEY, WAKE_KEY, event};
use super::known::Known;
use crate::error::{Error, Result};
use crate::fd_table::Interest;
use crate::memory::{probe_array, try_list};
use crate::platform::fd::{BorrowedFd, RawFd};
use polling::{Event, Events, PollMode, Poller};
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

/// As many events a wait brings at once, where the backend keeps to a limit; as
/// few as on epoll, and for the same reason.
const ROOM: usize = 64;
/// No backend's own form of an event, or of a descriptor that it watches, is larger.
type Largest = [u64; 8];

/// A poller with the loop's wake-up descriptor in it.
pub struct Reactor {
    poller: Poller,
    wake_fds: [RawFd; 2],
    known: Known,
    /// How many descriptors polling has in its lists, about.
    count: usize,
    events: Events,
    /// The events of one wait, as they are passed on.
    ready: Vec<(usize, Interest)>,
}

impl Reactor {
    /// Can it tell of a descriptor that is not watched any more?
    pub const HAS_STRAYS: bool = true;

    /// A new poller that watches the first of these; both are the loop's own.
    pub fn new(wake_fds: [RawFd; 2]) -> Result<Self> {
        let ready = try_list(ROOM)?;
        let events = events(ROOM)?;
        probe_array::<Largest>(1)?;
        let poller = Poller::new()?;
        let wake = Event::readable(WAKE_KEY);
        probe_growth(1)?;
        // SAFETY: the loop deletes the reactor before it closes its wake-up descriptor.
        unsafe { poller.add_with_mode(&borrow(wake_fds[0]), wake, PollMode::Level)? };
        Ok(Reactor { poller, wake_fds, known: Known::new(), count: 1, events, ready })
    }

    /// The descriptor an outer loop may wait on, where the backend has one.
    pub fn backend_fd(&self) -> Result<RawFd> {
        self.known.backend_fd(&self.poller)
    }

    /// Is it one of the loop's descriptors?
    pub fn owns(&self, fd: RawFd) -> bool {
        self.wake_fds.contains(&fd) || self.backend_fd() == Ok(fd)
    }

    /// Starts watching a descriptor. `EPERM` for a plain file, which is always
    /// ready, as epoll says.
    pub fn add(&mut self, fd: RawFd, key: usize, interest: Interest) -> Result<()> {
        if self.owns(fd) {
            // Its number has come to be one of ours.
            return Err(Error::Sys(libc::EEXIST));
        }
        let event = event(self.known.admit(fd, key)?, interest);
        if let Err(error) = self.make_room() {
            self.known.forget(fd);
            return Err(error);
        }
        // SAFETY: as on epoll: hosts may close what is watched. What is then left
        // in polling's list is recognised by `known`.
        let added = unsafe { self.poller.add_with_mode(&borrow(fd), event, PollMode::Level) };
        let result = match added {
            Ok(()) => {
                self.count += 1;
                Ok(())
            }
            // Left behind by a file that was closed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.poller.modify_with_mode(borrow(fd), event, PollMode::Level)
            }
            Err(error) => Err(error),
        };
        let result = result.map_err(failure);
        if result.is_err() {
            self.known.forget(fd);
            return result;
        }
        let heard = self.known.is_heard(&self.poller, fd, &event);
        if heard.is_err() {
            self.delete(fd);
        }
        heard
    }

    /// Changes what a descriptor is watched for. `ENOENT` if its number means
    /// another file than the one that was added.
    pub fn modify(&mut self, fd: RawFd, key: usize, interest: Interest) -> Result<()> {
        probe_array::<Largest>(2)?;
        let event = match self.known.check(&self.poller, fd, key) {
            Ok(key) => event(key, interest),
            Err(error) => {
                if error == Error::Sys(libc::ENOENT) {
                    self.delete(fd);
                }
                return Err(error);
            }
        };
        self.poller.modify_with_mode(borrow(fd), event, PollMode::Level).map_err(failure)?;
        self.known.is_heard(&self.poller, fd, &event)
    }

    /// Stops watching. A descriptor that was closed before is no error.
    pub fn delete(&mut self, fd: RawFd) {
        self.known.forget(fd);
        if self.poller.delete(borrow(fd)).is_ok() {
            self.count = self.count.saturating_sub(1);
        }
    }

    /// Waits at most `timeout_ns` (negative: without limit), then calls
    /// `ready(key, interest)` for each descriptor that is ready. An error or
    /// hang-up counts as both directions. Returns early, with no event, when
    /// woken. Signals do not end it: polling waits on.
    pub fn wait(
        &mut self,
        timeout_ns: i64,
        _until: Option<u64>,
        mut ready: impl FnMut(usize, Interest),
    ) -> Result<()> {
        let timeout = (timeout_ns >= 0).then(|| Duration::from_nanos(timeout_ns as u64));
        self.events.clear();
        self.poller.wait(&mut self.events, timeout)?;
        self.ready.clear();
        for event in self.events.iter().filter(|event| event.key < FIRST_OWN_KEY) {
            let both = event.is_interrupt() || event.is_err().unwrap_or(false);
            let interest =
                Interest { readable: event.readable || both, writable: event.writable || both };
            match self.known.meaning(event.key, interest) {
                // There is room: the two lists grow together.
                Ok(key) if self.ready.len() < self.ready.capacity() => {
                    self.ready.push((key, interest));
                }
                Ok(_) => break,
                Err(Some(gone)) => {
                    self.known.forget(gone);
                    if self.poller.delete(borrow(gone)).is_ok() {
                        self.count = self.count.saturating_sub(1);
                    }
                }
                Err(None) => {}
            }
        }
        join(&mut self.ready);
        for (key, interest) in &self.ready {
            ready(*key, *interest);
        }
        Ok(())
    }

    /// Never: a wait's own timeout must do.
    pub fn set_deadline(&mut self, _until: u64) -> bool {
        false
    }

    /// Lets go in a forked child without touching what the parent still uses.
    /// `is_whole`: no other thread was inside at the fork.
    pub fn abandon(self, _harmless_fd: RawFd, is_whole: bool) {
        // A kqueue is not inherited: its number is free in the child, or already
        // another file's, so nothing may close it. And what another thread was
        // changing at the fork may not even be freed.
        if cfg!(backend = "kqueue") || !is_whole {
            std::mem::forget(self);
        }
    }

    /// Memory for one more descriptor.
    fn make_room(&mut self) -> Result<()> {
        // poll brings everything that is ready, whatever the room.
        if cfg!(backend = "poll") && self.ready.capacity() <= self.count {
            let room = (self.count + 1).next_power_of_two();
            let (ready, events) = (try_list(room)?, events(room)?);
            (self.ready, self.events) = (ready, events);
        }
        probe_growth(self.count + 1)
    }
}

fn events(room: usize) -> Result<Events> {
    probe_array::<Largest>(room)?;
    Ok(Events::with_capacity(NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN)))
}

/// Is there memory if polling's lists have to grow for this many descriptors?
/// It keeps one or two lists, a quarter of whose places may be empty.
fn probe_growth(count: usize) -> Result<()> {
    probe_array::<Largest>((count + count / 2).next_power_of_two().max(4))
}

/// The borrow lasts for one call; a number that means no open file is refused by
/// the kernel, or only compared.
fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: see above; it is not negative, which `add_watch` has seen to.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// polling's own errors have no errno.
fn failure(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::Sys(libc::ENOENT),
        io::ErrorKind::InvalidInput if error.raw_os_error().is_none() => {
            Error::Invalid("the descriptor is the loop's own")
        }
        _ => Error::from(error),
    }
}

/// One event for each key, in the order of the keys: that in which the watches
/// were made.
fn join(events: &mut Vec<(usize, Interest)>) {
    events.sort_unstable_by_key(|(key, _)| *key);
    events.dedup_by(|(later, more), (key, interest)| {
        let same = key == later;
        if same {
            interest.readable |= more.readable;
            interest.writable |= more.writable;
        }
        same
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_that_come_one_by_one_are_joined() {
        let read = Interest { readable: true, writable: false };
        let write = Interest { readable: false, writable: true };
        let both = Interest { readable: true, writable: true };
        let mut events = vec![(7, write), (3, read), (7, read), (5, both), (3, read)];
        join(&mut events);
        assert_eq!(events, [(3, read), (5, both), (7, both)]);
    }

    #[cfg(backend = "poll")]
    #[test]
    fn numbers_that_were_closed_do_not_count() {
        use crate::platform::fd::AsRawFd;
        use std::os::unix::net::UnixStream;
        let (wake, other) = UnixStream::pair().unwrap();
        let mut reactor = Reactor::new([wake.as_raw_fd(), other.as_raw_fd()]).unwrap();
        let read = Interest { readable: true, writable: false };
        for key in 0..3 {
            // SAFETY: a number of our own, and so high that no other test gets it.
            let fd = unsafe { libc::fcntl(wake.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 500) };
            reactor.add(fd, key, read).unwrap();
            assert_eq!(reactor.count, 2);
            // SAFETY: see above.
            unsafe { libc::close(fd) };
            reactor.wait(0, None, |_, _| unreachable!("nothing is open")).unwrap();
        }
        assert_eq!(reactor.count, 1);
    }
}
