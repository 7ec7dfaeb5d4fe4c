//! How a stream receives: once for each readiness, into the loop's own buffer or
//! the protocol's.

use super::super::descriptor::{self, Medium};
use super::super::protocol::GetBufferFn;
use super::super::registry::READ_SIZE;
use super::super::{Reason, Transport};
use super::{State, Stream, callback};
use crate::error::{Error, Result};
use crate::event_loop::Hold;
use crate::fd_table::Direction;
use crate::platform::fd::RawFd;
use std::ffi::c_void;
use std::sync::Arc;

type ReceivedFn = unsafe extern "C-unwind" fn(*const Transport, *const c_void, usize, *mut c_void);
type UpdatedFn = unsafe extern "C-unwind" fn(*const Transport, usize, *mut c_void);

/// How the protocol wants its bytes.
enum Sink {
    Received(Option<ReceivedFn>),
    Buffered(GetBufferFn, Option<UpdatedFn>),
}

impl Stream {
    /// Registers the reader, if the stream reads at present. What cannot be
    /// registered is lost.
    pub(super) fn begin_reading(&self, transport: &Arc<Transport>) {
        let Ok(hold) = transport.event_loop.hold() else { return };
        let fd = self.with(&hold, |state| {
            let reads = match self.medium {
                Medium::Socket | Medium::ReadPipe => !state.paused && !state.eof_seen,
                Medium::WritePipe { watches_peer } => watches_peer,
            };
            let begins = state.started && reads && !state.closing && !state.reader_on;
            let fd = begins.then(|| state.raw_fd().ok()).flatten()?;
            state.reader_on = true;
            Some(fd)
        });
        drop(hold);
        let Some(fd) = fd else { return };
        let added = callback(transport, on_readable)
            .and_then(|callback| transport.event_loop.add_watch(fd, Direction::Read, callback));
        if let Err(error) = added {
            if let Ok(hold) = transport.event_loop.hold() {
                self.with(&hold, |state| state.reader_on = false);
            }
            self.fatal_error(transport, error, self.read_failed());
        }
    }

    pub(super) fn pause_reading(&self, transport: &Arc<Transport>) -> Result<()> {
        if !self.medium.reads() {
            return Err(Error::Unsupported("the transport does not read"));
        }
        let hold = transport.event_loop.hold()?;
        transport.event_loop.check_open()?;
        let fd = self.with(&hold, |state| {
            if state.closing || state.paused {
                return None;
            }
            state.paused = true;
            state.take_reader()
        });
        drop(hold);
        self.unwatch(transport, fd, Direction::Read)
    }

    pub(super) fn resume_reading(&self, transport: &Arc<Transport>) -> Result<()> {
        if !self.medium.reads() {
            return Err(Error::Unsupported("the transport does not read"));
        }
        let hold = transport.event_loop.hold()?;
        transport.event_loop.check_open()?;
        self.with(&hold, |state| {
            if !state.closing {
                state.paused = false;
            }
        });
        drop(hold);
        self.begin_reading(transport);
        Ok(())
    }

    /// Ends a registration that `take_reader` or `take_writer` gave up.
    pub(super) fn unwatch(
        &self,
        transport: &Arc<Transport>,
        fd: Option<RawFd>,
        direction: Direction,
    ) -> Result<()> {
        match fd {
            Some(fd) => transport.event_loop.remove_watch(fd, direction).map(drop),
            None => Ok(()),
        }
    }

    fn read_failed(&self) -> &'static std::ffi::CStr {
        match self.medium {
            Medium::Socket => c"Fatal read error on socket transport",
            _ => c"Fatal read error on pipe transport",
        }
    }

    fn receive(&self, transport: &Arc<Transport>) {
        let Ok(hold) = transport.event_loop.hold() else { return };
        let Some((fd, (sink, data))) = self.with(&hold, |state| {
            if state.closing || state.paused {
                return None;
            }
            let fd = state.raw_fd().ok()?;
            let sink = state.protocol.begin(|functions| {
                Some(match functions.get_buffer {
                    Some(get_buffer) => Sink::Buffered(get_buffer, functions.buffer_updated),
                    None => Sink::Received(functions.data_received),
                })
            })?;
            Some((fd, sink))
        }) else {
            return;
        };
        match sink {
            Sink::Received(function) => self.receive_here(transport, hold, fd, function, data),
            Sink::Buffered(get, updated) => {
                drop(hold);
                self.receive_there(transport, fd, get, updated, data);
            }
        }
    }

    /// Into the loop's buffer.
    #[inline(always)]
    fn receive_here(
        &self,
        transport: &Arc<Transport>,
        hold: Hold<'_>,
        fd: RawFd,
        function: Option<ReceivedFn>,
        data: *mut c_void,
    ) {
        let mut buffer = match self.registry.take_buffer(&hold) {
            Ok(buffer) => buffer,
            Err(error) => {
                drop(hold);
                self.end_call(transport);
                return self.fatal_error(transport, error, self.read_failed());
            }
        };
        // SAFETY: the buffer is ours and so long.
        let received = unsafe {
            descriptor::receive(fd, self.medium, buffer.as_mut_ptr().cast(), buffer.len())
        };
        drop(hold);
        if let (Ok(Some(count @ 1..)), Some(function)) = (received, function) {
            // SAFETY: the host's function with the host's data.
            unsafe { function(Arc::as_ptr(transport), buffer.as_ptr().cast(), count, data) };
        }
        let Ok(hold) = transport.event_loop.hold() else { return };
        self.registry.give_buffer(&hold, buffer);
        let retired = self.with(&hold, |state| state.protocol.end());
        drop(hold);
        drop(retired);
        if !matches!(received, Ok(Some(1..))) {
            self.received_nothing(transport, received);
        }
    }

    /// Into the protocol's own buffer.
    fn receive_there(
        &self,
        transport: &Arc<Transport>,
        fd: RawFd,
        get_buffer: GetBufferFn,
        updated: Option<UpdatedFn>,
        data: *mut c_void,
    ) {
        let (mut place, mut length) = (std::ptr::null_mut(), 0);
        let pointer = Arc::as_ptr(transport);
        // SAFETY: the host's function with the host's data.
        let code = unsafe { get_buffer(pointer, READ_SIZE, &mut place, &mut length, data) };
        // The protocol may have closed the transport, or have been replaced.
        let Ok(hold) = transport.event_loop.hold() else { return };
        let goes_on = self.with(&hold, |state| {
            !state.closing
                && !state.paused
                && state.protocol.current().is_some_and(|(functions, its)| {
                    its == data
                        && functions.get_buffer.map(|f| f as usize) == Some(get_buffer as usize)
                })
        });
        if !goes_on {
            drop(hold);
            return self.end_call(transport);
        }
        if code < 0 || place.is_null() || length == 0 {
            drop(hold);
            self.end_call(transport);
            let reason = match code {
                ..0 => Reason { code, message: None },
                _ => Reason::of(Error::Invalid("get_buffer() returned an empty buffer")),
            };
            let message = c"Fatal error: protocol.get_buffer() call failed.";
            return self.fatal(transport, reason, message, true);
        }
        // SAFETY: the host gave the place, and its protocol lives.
        let received = unsafe { descriptor::receive(fd, self.medium, place, length) };
        drop(hold);
        if let (Ok(Some(count @ 1..)), Some(updated)) = (received, updated) {
            // SAFETY: the host's function with the host's data.
            unsafe { updated(pointer, count, data) };
        }
        self.end_call(transport);
        if !matches!(received, Ok(Some(1..))) {
            self.received_nothing(transport, received);
        }
    }

    fn end_call(&self, transport: &Arc<Transport>) {
        let Ok(hold) = transport.event_loop.hold() else { return };
        let retired = self.with(&hold, |state| state.protocol.end());
        drop(hold);
        drop(retired);
    }

    #[cold]
    fn received_nothing(&self, transport: &Arc<Transport>, received: descriptor::Counted) {
        match received {
            Ok(Some(_)) => self.received_eof(transport),
            Ok(None) => {}
            Err(errno) => self.fatal_error(transport, Error::Sys(errno), self.read_failed()),
        }
    }

    fn received_eof(&self, transport: &Arc<Transport>) {
        let Ok(hold) = transport.event_loop.hold() else { return };
        let ends = self.medium != Medium::Socket;
        let fd = self.with(&hold, |state| {
            state.eof_seen = true;
            // A pipe is at its end whatever its protocol says.
            state.closing |= ends;
            if ends { state.take_reader() } else { None }
        });
        drop(hold);
        let _ = self.unwatch(transport, fd, Direction::Read);
        let keeps = self.call(
            transport,
            |state| state.protocol.begin(|functions| functions.eof_received),
            |function, transport, data| {
                // SAFETY: the host's function with the host's data.
                unsafe { function(transport, data) }
            },
        );
        let Ok(hold) = transport.event_loop.hold() else { return };
        if ends {
            let first = self.with(&hold, |state| !std::mem::replace(&mut state.lost, true));
            drop(hold);
            if first {
                self.schedule_lost(transport);
            }
        } else if keeps.is_some_and(|keeps| keeps > 0) {
            let fd = self.with(&hold, |state| state.take_reader());
            drop(hold);
            let _ = self.unwatch(transport, fd, Direction::Read);
        } else {
            drop(hold);
            let _ = self.close(transport);
        }
    }
}

impl State {
    /// The reader's descriptor, if there is a reader, which is to be removed.
    pub(super) fn take_reader(&mut self) -> Option<RawFd> {
        std::mem::take(&mut self.reader_on).then(|| self.raw_fd().ok()).flatten()
    }
}

fn on_readable(transport: &Arc<Transport>) {
    let Some(stream) = transport.stream() else { return };
    match stream.medium {
        Medium::Socket | Medium::ReadPipe => stream.receive(transport),
        Medium::WritePipe { .. } => stream.peer_closed(transport),
    }
}
