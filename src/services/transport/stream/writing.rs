//! How a stream sends: at once if nothing waits, and what the kernel does not
//! take when it has room again.

use super::super::descriptor::{self, Medium};
use super::super::write_buffer::{Done, GATHERED, WriteBuffer};
use super::super::{Input, Transport};
use super::{State, Stream, callback};
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::fd_table::Direction;
use crate::memory::try_box;
use crate::platform::fd::RawFd;
use crate::platform::sys;
use std::ffi::c_int;
use std::sync::Arc;

/// What came of a write.
enum Attempt {
    /// Everything is sent, or there was nothing to send.
    Done,
    Refused(Error),
    /// The connection is lost; too many did not notice?
    Ignored(bool),
    /// This many bytes are sent; the rest must wait.
    Rest(usize),
    Failed(c_int),
}

/// So many writes to a lost connection are nobody's concern.
const UNNOTICED_WRITES: u8 = 5;

impl Stream {
    /// asyncio's `write` and `writelines`.
    #[inline]
    pub fn write(&self, transport: &Arc<Transport>, input: Input<'_>) -> Result<()> {
        let hold = transport.event_loop.hold()?;
        let attempt = self.with(&hold, |state| state.try_to_send(self.medium, input.parts));
        drop(hold);
        match attempt {
            Attempt::Done => Ok(()),
            attempt => self.write_slowly(transport, input, attempt),
        }
    }

    #[inline(never)]
    fn write_slowly(
        &self,
        transport: &Arc<Transport>,
        input: Input<'_>,
        attempt: Attempt,
    ) -> Result<()> {
        // The protocol may give back the reference this call came with.
        let transport = &transport.clone();
        match attempt {
            Attempt::Done => Ok(()),
            Attempt::Refused(error) => Err(error),
            Attempt::Ignored(false) => transport.event_loop.check_open(),
            Attempt::Ignored(true) => {
                transport.event_loop.check_open()?;
                let message = match self.medium {
                    Medium::Socket => c"socket.send() raised exception.",
                    _ => c"pipe closed by peer or os.write(pipe, data) raised exception.",
                };
                self.report(transport, message, None);
                Ok(())
            }
            Attempt::Failed(errno) => {
                self.fatal_error(transport, Error::Sys(errno), self.write_failed());
                Ok(())
            }
            Attempt::Rest(sent) => {
                let kept = self.keep_rest(transport, input, sent);
                let watched = kept.and_then(|()| self.begin_writing(transport));
                if let Err(error) = watched {
                    // A part is sent, so the stream is broken.
                    self.fatal_error(transport, error, self.write_failed());
                    return Err(error);
                }
                self.maybe_pause(transport);
                Ok(())
            }
        }
    }

    fn write_failed(&self) -> &'static std::ffi::CStr {
        match self.medium {
            Medium::Socket => c"Fatal write error on socket transport",
            _ => c"Fatal write error on pipe transport",
        }
    }

    fn keep_rest(&self, transport: &Arc<Transport>, input: Input<'_>, sent: usize) -> Result<()> {
        let hold = transport.event_loop.hold()?;
        let Input { parts, owner } = input;
        let (result, owner) = self.with(&hold, |state| state.keep(parts, owner, sent));
        drop(hold);
        drop(owner);
        result
    }

    /// Registers the writer, if it is not.
    pub(super) fn begin_writing(&self, transport: &Arc<Transport>) -> Result<()> {
        let hold = transport.event_loop.hold()?;
        let fd = self.with(&hold, |state| {
            if state.writer_on {
                return Ok(None);
            }
            let fd = state.raw_fd()?;
            state.writer_on = true;
            Ok::<_, Error>(Some(fd))
        })?;
        drop(hold);
        let Some(fd) = fd else { return Ok(()) };
        let added = callback(transport, on_writable)
            .and_then(|callback| transport.event_loop.add_watch(fd, Direction::Write, callback));
        if added.is_err()
            && let Ok(hold) = transport.event_loop.hold()
        {
            self.with(&hold, |state| state.writer_on = false);
        }
        added
    }

    /// Tells the protocol that too much waits.
    pub(super) fn maybe_pause(&self, transport: &Arc<Transport>) {
        self.call(
            transport,
            |state| {
                if state.buffer_size() <= state.limits().high || state.protocol_paused {
                    return None;
                }
                state.protocol_paused = true;
                state.protocol.begin(|functions| functions.pause_writing)
            },
            |function, transport, data| {
                // SAFETY: the host's function with the host's data.
                unsafe { function(transport, data) }
            },
        );
    }

    /// Tells the protocol that little waits.
    fn maybe_resume(&self, transport: &Arc<Transport>) {
        self.call(
            transport,
            |state| {
                if state.buffer_size() > state.limits().low || !state.protocol_paused {
                    return None;
                }
                state.protocol_paused = false;
                state.protocol.begin(|functions| functions.resume_writing)
            },
            |function, transport, data| {
                // SAFETY: the host's function with the host's data.
                unsafe { function(transport, data) }
            },
        );
    }

    /// asyncio's `write_eof`. A pipe has nothing else to wait for: it is closed.
    pub(super) fn write_eof(&self, transport: &Arc<Transport>) -> Result<()> {
        match self.medium {
            Medium::ReadPipe => return Err(Error::Unsupported("the transport does not write")),
            Medium::WritePipe { .. } => return self.close(transport),
            Medium::Socket => {}
        }
        let hold = transport.event_loop.hold()?;
        transport.event_loop.check_open()?;
        self.with(&hold, |state| {
            if state.closing || state.eof_written {
                return Ok(());
            }
            if state.buffer.is_none() && !state.has_sendfile() {
                descriptor::shutdown_write(state.raw_fd()?)?;
            }
            state.eof_written = true;
            Ok(())
        })
    }

    fn flush(&self, transport: &Arc<Transport>) {
        let Ok(hold) = transport.event_loop.hold() else { return };
        let (sent, done) = self.with(&hold, |state| state.flush(self.medium));
        drop(hold);
        drop(done);
        match sent {
            Err(errno) => {
                self.fatal_error(transport, Error::Sys(errno), self.write_failed());
                return;
            }
            Ok(None) => return,
            Ok(Some(_)) => {}
        }
        self.maybe_resume(transport);
        match self.after_flush(transport) {
            After::Sendfile => self.step_sendfile(transport),
            After::Lost => super::closing::connection_lost(transport),
            After::Nothing => {}
        }
    }

    /// If nothing waits any more: what comes next?
    fn after_flush(&self, transport: &Arc<Transport>) -> After {
        let Ok(hold) = transport.event_loop.hold() else { return After::Nothing };
        let (fd, after) = self.with(&hold, |state| {
            if state.buffer.is_some() || state.lost || state.fd.is_none() {
                return (None, After::Nothing);
            }
            if state.has_sendfile() {
                return (None, After::Sendfile);
            }
            let fd = state.take_writer();
            if state.closing {
                state.lost = true;
                return (fd, After::Lost);
            }
            if state.eof_written {
                let _ = state.raw_fd().and_then(descriptor::shutdown_write);
            }
            (fd, After::Nothing)
        });
        drop(hold);
        let _ = self.unwatch(transport, fd, Direction::Write);
        after
    }

    /// A sendfile ended, perhaps inside a call of the host.
    pub(super) fn settle(&self, transport: &Arc<Transport>) {
        if let After::Lost = self.after_flush(transport) {
            self.schedule_lost(transport);
        }
    }
}

/// What follows an empty buffer.
enum After {
    Nothing,
    Sendfile,
    Lost,
}

impl State {
    #[inline(always)]
    fn try_to_send(&mut self, medium: Medium, parts: &[sys::iovec]) -> Attempt {
        if self.eof_written || self.lost || self.rare.is_some() || medium != Medium::Socket {
            // Rarely anything of this holds.
            if let Some(attempt) = self.refuse(medium) {
                return attempt;
            }
        }
        let total: usize = match parts {
            [part] => part.iov_len,
            parts => parts.iter().fold(0, |sum, part| sum.saturating_add(part.iov_len)),
        };
        if total == 0 {
            return Attempt::Done;
        }
        if self.buffer.is_some() {
            return Attempt::Rest(0);
        }
        let Ok(fd) = self.raw_fd() else { return Attempt::Refused(Error::Closed) };
        // SAFETY: the host's bytes, promised for the call.
        match unsafe { descriptor::send(fd, medium, parts) } {
            Ok(Some(sent)) if sent == total => Attempt::Done,
            Ok(sent) => Attempt::Rest(sent.unwrap_or(0)),
            Err(errno) => Attempt::Failed(errno),
        }
    }

    #[cold]
    fn refuse(&mut self, medium: Medium) -> Option<Attempt> {
        if !medium.writes() {
            return Some(Attempt::Refused(Error::Unsupported("the transport does not write")));
        }
        if self.eof_written {
            let error = Error::InvalidState("Cannot call write() after write_eof()");
            return Some(Attempt::Refused(error));
        }
        if self.has_sendfile() {
            let error = Error::InvalidState("unable to write; sendfile is in progress");
            return Some(Attempt::Refused(error));
        }
        if self.lost || (self.closing && medium != Medium::Socket) {
            self.dropped_writes = self.dropped_writes.saturating_add(1);
            return Some(Attempt::Ignored(self.dropped_writes >= UNNOTICED_WRITES));
        }
        None
    }

    /// Keeps what follows the first `sent` bytes. The owner comes back if it is
    /// not needed.
    fn keep(
        &mut self,
        parts: &[sys::iovec],
        owner: Option<UserData>,
        mut sent: usize,
    ) -> (Result<()>, Option<UserData>) {
        if self.buffer.is_none() {
            match try_box(WriteBuffer::default()) {
                Ok(buffer) => self.buffer = Some(buffer),
                Err(error) => return (Err(error), owner),
            }
        }
        let Some(buffer) = &mut self.buffer else { return (Err(Error::Internal), owner) };
        if let (Some(owner), [part]) = (owner, parts) {
            let (data, length) = (part.iov_base.wrapping_byte_add(sent), part.iov_len - sent);
            return match buffer.own(data, length, owner) {
                Ok(()) => (Ok(()), None),
                Err(owner) => (Err(Error::NO_MEMORY), Some(owner)),
            };
        }
        for part in parts {
            if sent >= part.iov_len {
                sent -= part.iov_len;
                continue;
            }
            let (data, length) = (part.iov_base.wrapping_byte_add(sent), part.iov_len - sent);
            sent = 0;
            // SAFETY: the host's bytes, promised for the call.
            if let Err(error) = unsafe { buffer.copy(data, length) } {
                return (Err(error), None);
            }
        }
        (Ok(()), None)
    }

    /// Sends what waits: what is gone, and what is to be dropped.
    fn flush(&mut self, medium: Medium) -> (descriptor::Counted, Option<Done>) {
        let nothing = (Ok(None), None);
        if self.lost {
            return nothing;
        }
        let Ok(fd) = self.raw_fd() else { return nothing };
        let Some(buffer) = &mut self.buffer else { return (Ok(Some(0)), None) };
        let empty = sys::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        let mut parts = [empty; GATHERED];
        let count = buffer.gather(&mut parts);
        // SAFETY: what the buffer holds lives as long as it.
        let sent = unsafe { descriptor::send(fd, medium, &parts[..count]) };
        let done = match sent {
            Ok(Some(sent)) => Some(buffer.consume(sent)),
            _ => None,
        };
        if buffer.size() == 0 {
            self.buffer = None;
        }
        (sent, done)
    }

    /// The writer's descriptor, if there is a writer, which is to be removed.
    pub(super) fn take_writer(&mut self) -> Option<RawFd> {
        std::mem::take(&mut self.writer_on).then(|| self.raw_fd().ok()).flatten()
    }
}

fn on_writable(transport: &Arc<Transport>) {
    if let Some(stream) = transport.stream() {
        stream.flush(transport);
    }
}
