//! How a stream ends.

use super::super::descriptor::Medium;
use super::super::{Reason, Transport};
use super::{Stream, callback};
use crate::error::{Error, Result};
use crate::event_loop::{Detach, ExceptionContext};
use crate::fd_table::Direction;
use crate::platform::fd::AsRawFd;
use crate::socket;
use std::ffi::CStr;
use std::sync::Arc;

impl Stream {
    /// asyncio's `close`: no more is received; what waits is sent first.
    pub(super) fn close(&self, transport: &Arc<Transport>) -> Result<()> {
        let hold = transport.event_loop.hold()?;
        transport.event_loop.check_open()?;
        let (reader, lost) = self.with(&hold, |state| {
            if state.closing {
                return (None, false);
            }
            state.closing = true;
            let waits = state.buffer.is_some() || state.has_sendfile();
            let lost = !waits && !std::mem::replace(&mut state.lost, true);
            // A pipe that still sends must notice when nobody reads.
            let watches = waits && !self.medium.reads();
            (if watches { None } else { state.take_reader() }, lost)
        });
        drop(hold);
        self.unwatch(transport, reader, Direction::Read)?;
        if lost {
            self.schedule_lost(transport);
        }
        Ok(())
    }

    /// asyncio's `abort` and `_force_close`: what waits is dropped.
    pub(super) fn force_close(
        &self,
        transport: &Arc<Transport>,
        reason: Option<Reason>,
    ) -> Result<()> {
        let hold = transport.event_loop.hold()?;
        transport.event_loop.check_open()?;
        let taken = self.with(&hold, |state| {
            if std::mem::replace(&mut state.lost, true) {
                return None;
            }
            state.closing = true;
            let sendfile = state.rare.as_mut().and_then(|rare| rare.sendfile.take());
            state.keep_reason(&reason);
            Some((state.take_reader(), state.take_writer(), state.buffer.take(), sendfile))
        });
        drop(hold);
        let Some((reader, writer, buffer, sendfile)) = taken else { return Ok(()) };
        let _ = self.unwatch(transport, reader, Direction::Read);
        let _ = self.unwatch(transport, writer, Direction::Write);
        drop(buffer);
        if let Some(sendfile) = sendfile {
            sendfile.fail(reason);
        }
        self.schedule_lost(transport);
        Ok(())
    }

    /// The peer of a pipe that only writes is gone.
    pub(super) fn peer_closed(&self, transport: &Arc<Transport>) {
        let waits = transport.event_loop.hold().is_ok_and(|hold| {
            self.with(&hold, |state| state.buffer.is_some() || state.has_sendfile())
        });
        let reason = waits.then(|| Reason::of(Error::Sys(libc::EPIPE)));
        let _ = self.force_close(transport, reason);
    }

    /// Something failed that ends the connection. It is reported unless it is
    /// what networks do.
    pub(super) fn fatal_error(&self, transport: &Arc<Transport>, error: Error, message: &CStr) {
        let expected = match error {
            Error::Sys(libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED) => true,
            // The other side of a terminal is gone.
            Error::Sys(libc::EIO) => self.medium != Medium::Socket,
            Error::Closed | Error::Forked(_) => return,
            _ => false,
        };
        self.fatal(transport, Reason::of(error), message, !expected);
    }

    pub(super) fn fatal(
        &self,
        transport: &Arc<Transport>,
        reason: Reason,
        message: &CStr,
        reports: bool,
    ) {
        if reports {
            self.report(transport, message, Some(&reason));
        }
        let _ = self.force_close(transport, Some(reason));
    }

    pub(super) fn report(
        &self,
        transport: &Arc<Transport>,
        message: &CStr,
        reason: Option<&Reason>,
    ) {
        let fd =
            transport.event_loop.hold().and_then(|hold| self.with(&hold, |state| state.raw_fd()));
        let text = reason.and_then(|reason| reason.message.as_deref());
        let record = ExceptionContext {
            code: reason.map_or(0, |reason| reason.code),
            exception: text.map_or(std::ptr::null(), CStr::as_ptr),
            fd: fd.unwrap_or(-1),
            transport: Arc::as_ptr(transport).cast(),
            ..ExceptionContext::new(message)
        };
        let _ = transport.event_loop.call_exception_handler(&record);
    }

    /// Once for each stream, when `lost` was set.
    pub(super) fn schedule_lost(&self, transport: &Arc<Transport>) {
        let scheduled = callback(transport, connection_lost)
            .and_then(|callback| transport.event_loop.call_soon(callback, false));
        match scheduled {
            Ok(_) | Err(Error::Closed | Error::Forked(_)) => {}
            // There is no memory to do it later.
            Err(_) => connection_lost(transport),
        }
    }

    /// The loop let go of the stream.
    pub(super) fn detached(&self, transport: &Arc<Transport>, _why: Detach) {
        let Ok(hold) = transport.event_loop.hold() else { return };
        let (fds, rest) = self.with(&hold, |state| {
            (state.closing, state.lost) = (true, true);
            let fds = (state.take_reader(), state.take_writer(), state.fd.take());
            let protocol = state.protocol.close();
            let rest = (state.buffer.take(), protocol, state.rare.take(), state.membership.take());
            (fds, rest)
        });
        drop(hold);
        let (reader, writer, fd) = fds;
        // Where the loop goes on in a forked child; elsewhere nothing is left.
        let _ = self.unwatch(transport, reader, Direction::Read);
        let _ = self.unwatch(transport, writer, Direction::Write);
        if let Some(fd) = fd {
            transport.event_loop.release_fd(fd.as_raw_fd());
            socket::close(fd);
        }
        drop(rest);
    }
}

/// Tells the protocol, then lets go of everything.
pub(super) fn connection_lost(transport: &Arc<Transport>) {
    let Some(stream) = transport.stream() else { return };
    let Ok(hold) = transport.event_loop.hold() else { return };
    let (code, text) = stream.with(&hold, |state| {
        (state.code, state.rare.as_mut().and_then(|rare| rare.message.take()))
    });
    drop(hold);
    let text = text.as_deref();
    stream.call(
        transport,
        |state| state.protocol.begin(|functions| functions.connection_lost),
        |function, transport, data| {
            let text = text.map_or(std::ptr::null(), CStr::as_ptr);
            // SAFETY: the host's function with the host's data.
            unsafe { function(transport, code, text, data) }
        },
    );
    let Ok(hold) = transport.event_loop.hold() else { return };
    let (fds, protocol, rare, membership) = stream.with(&hold, |state| {
        let fds = (state.take_reader(), state.take_writer(), state.fd.take());
        (fds, state.protocol.close(), state.rare.take(), state.membership.take())
    });
    let (reader, writer, fd) = fds;
    let entry = fd.as_ref().and_then(|fd| stream.registry.remove(&hold, fd.as_raw_fd(), transport));
    drop(hold);
    let _ = stream.unwatch(transport, reader, Direction::Read);
    let _ = stream.unwatch(transport, writer, Direction::Write);
    if let Some(fd) = fd {
        transport.event_loop.release_fd(fd.as_raw_fd());
        socket::close(fd);
    }
    drop((entry, protocol, rare));
    drop(membership);
}
