//! Sending a file: by the kernel alone where it can, else through the loop's
//! buffer. Other writes are refused meanwhile, and reading is paused.

use super::super::descriptor::{self, Medium};
use super::super::{Reason, Transport};
use super::Stream;
use crate::error::{Error, Result};
use crate::memory::try_box;
use crate::platform::fd::RawFd;
use crate::platform::file::{File, OwnedFile};
use crate::platform::{errno, sys};
use crate::services::future::{Future, Operation, Outcome};
use crate::sigpipe::without_sigpipe;
use std::sync::Arc;

/// At most so much in one turn: reading the file may take its time.
const PORTION: u64 = 1 << 20;

/// A file that is being sent.
pub(super) struct Sendfile {
    file: OwnedFile,
    offset: u64,
    left: Option<u64>,
    sent: u64,
    by_reading: bool,
    /// Reading goes on when this ends.
    resumes: bool,
    future: Arc<Future>,
}

impl Sendfile {
    /// The connection ended before the file.
    pub(super) fn fail(self, reason: Option<Reason>) {
        let reason = reason.unwrap_or_else(|| Reason::of(Error::Sys(libc::ECONNABORTED)));
        self.future.finish_if_pending(Outcome::failure(reason.code, reason.message));
    }
}

/// What the future of a sendfile does when it is cancelled or ends.
struct Sending(Arc<Transport>);

impl Operation for Sending {
    fn ended(self: Box<Self>) {
        if let Some(stream) = self.0.stream() {
            stream.end_sendfile(&self.0);
        }
    }
}

impl Stream {
    pub(super) fn sendfile(
        &self,
        transport: &Arc<Transport>,
        file: RawFd,
        offset: u64,
        count: Option<u64>,
    ) -> Result<Arc<Future>> {
        if !self.medium.writes() {
            return Err(Error::Unsupported("the transport does not write"));
        }
        let future = Future::new(&transport.event_loop)?;
        let operation = try_box(Sending(transport.clone()))?;
        let file = File::of(file).duplicate().map_err(Error::Sys)?;
        let hold = transport.event_loop.hold()?;
        self.with(&hold, |state| {
            if state.closing {
                return Err(Error::InvalidState("Transport is closing"));
            }
            if state.eof_written {
                return Err(Error::InvalidState("Cannot call write() after write_eof()"));
            }
            if state.has_sendfile() {
                return Err(Error::InvalidState("unable to write; sendfile is in progress"));
            }
            let resumes = self.medium.reads() && !state.paused;
            let future = future.clone();
            state.rare()?.sendfile = Some(Sendfile {
                file,
                offset,
                left: count,
                sent: 0,
                by_reading: false,
                resumes,
                future,
            });
            Ok(())
        })?;
        drop(hold);
        future.set_operation(operation)?;
        if self.medium.reads() {
            let _ = self.pause_reading(transport);
        }
        if let Err(error) = self.begin_writing(transport) {
            // Nothing was sent; the future is nobody's yet.
            self.end_sendfile(transport);
            return Err(error);
        }
        Ok(future)
    }

    /// Takes the file out, if it is still there, and goes on with what is next.
    fn end_sendfile(&self, transport: &Arc<Transport>) {
        let Ok(hold) = transport.event_loop.hold() else { return };
        let ended = self.with(&hold, |state| state.rare.as_mut()?.sendfile.take());
        drop(hold);
        let Some(ended) = ended else { return };
        if ended.resumes {
            let _ = self.resume_reading(transport);
        }
        drop(ended);
        self.settle(transport);
    }

    /// There is room and nothing else to send.
    pub(super) fn step_sendfile(&self, transport: &Arc<Transport>) {
        let Ok(hold) = transport.event_loop.hold() else { return };
        let mut buffer = None;
        let outcome = self.with(&hold, |state| {
            let fd = state.raw_fd().ok()?;
            let sending = state.rare.as_mut()?.sendfile.as_mut()?;
            let outcome = sending.step(fd, self.medium, || {
                let place = self.registry.take_buffer(&hold)?;
                Ok(&mut **buffer.insert(place))
            });
            outcome.map(|outcome| (outcome, sending.future.clone()))
        });
        if let Some(buffer) = buffer {
            self.registry.give_buffer(&hold, buffer);
        }
        drop(hold);
        match outcome {
            None => {}
            // This ends the operation, which takes the file out.
            Some((Ok(total), future)) => future.succeed(total as usize),
            Some((Err(error @ Error::Sys(libc::EPIPE | libc::ECONNRESET)), _)) => {
                self.fatal_error(transport, error, c"Fatal write error on socket transport");
            }
            Some((Err(error), future)) => future.fail(error),
        }
    }
}

impl Sendfile {
    /// Sends a portion. None: there is more to do.
    fn step<'b>(
        &mut self,
        fd: RawFd,
        medium: Medium,
        buffer: impl FnOnce() -> Result<&'b mut [u8]>,
    ) -> Option<Result<u64>> {
        let count = self.left.map_or(PORTION, |left| left.min(PORTION));
        if count == 0 {
            return Some(Ok(self.sent));
        }
        if !self.by_reading {
            match self.by_kernel(fd, count) {
                Err(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP | libc::EOVERFLOW) => {
                    self.by_reading = true
                }
                result => return self.account(result),
            }
        }
        let buffer = match buffer() {
            Ok(buffer) => buffer,
            Err(error) => return Some(Err(error)),
        };
        let count = buffer.len().min(count as usize);
        // SAFETY: the buffer is so long.
        let read =
            unsafe { self.file.get().read_at(buffer.as_mut_ptr(), count, self.offset as i64) };
        let result = match usize::try_from(read) {
            Ok(0) => Ok(Some(0)),
            Ok(read) => {
                let part = sys::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: read };
                // SAFETY: so many bytes were read. What is not sent is read again.
                unsafe { descriptor::send(fd, medium, &[part]) }
            }
            Err(_) if errno() == libc::EINTR => Ok(None),
            Err(_) => Err(errno()),
        };
        self.account(result)
    }

    fn by_kernel(&mut self, fd: RawFd, count: u64) -> descriptor::Counted {
        let result =
            without_sigpipe(fd, || self.file.get().send(fd, self.offset as i64, count as usize));
        match usize::try_from(result) {
            Ok(count) => Ok(Some(count)),
            Err(_) => match errno() {
                libc::EAGAIN | libc::EINTR => Ok(None),
                errno => Err(errno),
            },
        }
    }

    fn account(&mut self, result: descriptor::Counted) -> Option<Result<u64>> {
        match result {
            Err(errno) => Some(Err(Error::Sys(errno))),
            Ok(None) => None,
            // The file is shorter than it was thought to be.
            Ok(Some(0)) => Some(Ok(self.sent)),
            Ok(Some(count)) => {
                self.sent += count as u64;
                self.offset += count as u64;
                self.left = self.left.map(|left| left.saturating_sub(count as u64));
                (self.left == Some(0)).then_some(Ok(self.sent))
            }
        }
    }
}
