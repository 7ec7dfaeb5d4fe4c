//! asyncio's subprocess protocol: what a process calls, and the pipes of such a
//! process, which are transports.
//!
//! connection_made comes first. A pipe's data and its end, and the end of the
//! process, come in any order; connection_lost comes after all of them.

use super::Process;
use crate::callback::{Callback, UserData};
use crate::error::{Error, Result};
use crate::memory::{try_arc, try_box};
use crate::platform::fd::OwnedFd;
use crate::services::transport::{self, Options, StreamTransport, Transport};
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

/// The functions of a subprocess protocol; the C struct of the same name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Functions {
    /// `sizeof` of this struct, as the library knows it.
    pub size: usize,
    /// The process runs, and its pipes are transports.
    pub connection_made: Option<unsafe extern "C-unwind" fn(*const Process, *mut c_void)>,
    /// Bytes came through a pipe, borrowed for the call.
    pub pipe_data_received: Option<
        unsafe extern "C-unwind" fn(*const Process, c_int, *const c_void, usize, *mut c_void),
    >,
    /// A pipe ended: a code and a text, or 0 and NULL.
    pub pipe_connection_lost: Option<
        unsafe extern "C-unwind" fn(*const Process, c_int, c_int, *const c_char, *mut c_void),
    >,
    /// The process ended.
    pub process_exited: Option<unsafe extern "C-unwind" fn(*const Process, *mut c_void)>,
    /// The process and all of its pipes ended.
    pub connection_lost:
        Option<unsafe extern "C-unwind" fn(*const Process, c_int, *const c_char, *mut c_void)>,
    /// More than the high-water mark waits to be sent to the program.
    pub pause_writing: Option<unsafe extern "C-unwind" fn(*const Process, *mut c_void)>,
    /// The low-water mark is reached again.
    pub resume_writing: Option<unsafe extern "C-unwind" fn(*const Process, *mut c_void)>,
}

impl Functions {
    /// A protocol that ignores everything.
    pub const NONE: Functions = Functions {
        size: size_of::<Functions>(),
        connection_made: None,
        pipe_data_received: None,
        pipe_connection_lost: None,
        process_exited: None,
        connection_lost: None,
        pause_writing: None,
        resume_writing: None,
    };
}

/// A protocol: functions, and the data they are called with, which is destroyed
/// when this is dropped.
pub struct Protocol {
    /// What to call.
    pub functions: Functions,
    /// Passed to it.
    pub user_data: UserData,
}

// SAFETY: called on the loop's thread only, and the host has promised that the
// data may end on whatever thread gives back the last reference to a process.
unsafe impl Send for Protocol {}
unsafe impl Sync for Protocol {}

/// What a pipe's transport calls: one of the streams of a process.
struct PipeEnd {
    process: Arc<Process>,
    stream: usize,
}

impl Process {
    /// Calls a function of the protocol, if there is one and it has that. The
    /// protocol's data lives at least until this returns.
    fn tell<T>(
        self: &Arc<Self>,
        choose: impl FnOnce(&Functions) -> Option<T>,
        call: impl FnOnce(T, *const Process, *mut c_void),
    ) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let protocol = self.with(&hold, |state| state.protocol.clone());
        drop(hold);
        if let Some(protocol) = protocol
            && let Some(function) = choose(&protocol.functions)
        {
            call(function, Arc::as_ptr(self), protocol.user_data.get());
        }
    }

    /// Makes transports of the pipes, and schedules connection_made.
    pub(super) fn connect(self: &Arc<Self>, mut pipes: [Option<OwnedFd>; 3]) -> Result<()> {
        for (stream, fd) in pipes.iter_mut().enumerate() {
            if fd.is_some() {
                self.connect_pipe(stream, fd)?;
            }
        }
        let made = Callback::on(self.clone(), Process::made);
        let made = self.event_loop.in_present_context(made)?;
        self.event_loop.call_soon(made, false).map(drop)
    }

    fn connect_pipe(self: &Arc<Self>, stream: usize, fd: &mut Option<OwnedFd>) -> Result<()> {
        let end = Box::into_raw(try_box(PipeEnd { process: self.clone(), stream })?);
        let protocol = transport::Protocol {
            functions: PIPE_FUNCTIONS,
            user_data: UserData::new(end.cast(), Some(pipe_released)),
        };
        let connect =
            if stream == 0 { StreamTransport::write_pipe } else { StreamTransport::read_pipe };
        let transport = connect(&self.event_loop, fd, protocol, Options::default())?;
        let hold = self.event_loop.hold()?;
        self.with(&hold, |state| {
            if let Some(place) = state.transports.get_mut(stream) {
                *place = Some(transport);
                state.open_pipes += 1;
            }
        });
        Ok(())
    }

    /// Nobody is told anything any more: it could not be connected.
    pub(super) fn mute(&self) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let (protocol, transports) = self
            .with(&hold, |state| (state.protocol.take(), std::mem::take(&mut state.transports)));
        drop(hold);
        for transport in transports.iter().flatten() {
            let _ = transport.operations().abort(transport, None);
        }
        drop(protocol);
    }

    /// Tells of the connection, once.
    fn made(self: &Arc<Self>) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let told = self.with(&hold, |state| std::mem::replace(&mut state.is_made, true));
        drop(hold);
        if !told {
            self.tell(
                |functions| functions.connection_made,
                // SAFETY: the host's function with the host's data.
                |function, process, data| unsafe { function(process, data) },
            );
        }
    }

    /// The loop knows how the process ended. A thread that waits for it may have
    /// said so before connection_made was scheduled.
    pub(super) fn exited(self: &Arc<Self>) {
        self.made();
        self.tell(
            |functions| functions.process_exited,
            // SAFETY: the host's function with the host's data.
            |function, process, data| unsafe { function(process, data) },
        );
        self.maybe_finish(|state| state.has_exited = true);
    }

    /// After the last of its ends connection_lost is scheduled.
    fn maybe_finish(self: &Arc<Self>, change: impl FnOnce(&mut super::State)) {
        let Ok(hold) = self.event_loop.hold() else { return };
        let finished = self.with(&hold, |state| {
            change(state);
            state.has_exited && state.open_pipes == 0
        });
        drop(hold);
        if !finished {
            return;
        }
        let lost = Callback::on(self.clone(), Process::connection_lost);
        match self.event_loop.call_soon(lost, false) {
            Ok(_) | Err(Error::Closed | Error::Forked(_)) => {}
            // There is no memory to do it later.
            Err(_) => self.connection_lost(),
        }
    }

    fn connection_lost(self: &Arc<Self>) {
        self.tell(
            |functions| functions.connection_lost,
            // SAFETY: the host's function with the host's data.
            |function, process, data| unsafe { function(process, 0, std::ptr::null(), data) },
        );
        let Ok(hold) = self.event_loop.hold() else { return };
        let ended = self.with(&hold, |state| state.protocol.take());
        drop(hold);
        drop(ended);
    }
}

/// A protocol in the form in which it is shared.
pub(super) fn share(protocol: Protocol) -> Result<Arc<Protocol>> {
    try_arc(protocol)
}

const PIPE_FUNCTIONS: transport::Functions = transport::Functions {
    data_received: Some(pipe_data_received),
    pause_writing: Some(pipe_pause_writing),
    resume_writing: Some(pipe_resume_writing),
    connection_lost: Some(pipe_connection_lost),
    ..transport::Functions::NONE
};

/// The pipe that a transport's protocol data means.
///
/// # Safety
/// `data` is what `connect_pipe` made, and was not released.
unsafe fn pipe_end(data: *mut c_void) -> (Arc<Process>, c_int) {
    // SAFETY: as promised.
    let end = unsafe { &*data.cast::<PipeEnd>() };
    (end.process.clone(), end.stream as c_int)
}

unsafe extern "C-unwind" fn pipe_data_received(
    _: *const Transport,
    bytes: *const c_void,
    count: usize,
    data: *mut c_void,
) {
    let (process, stream) = unsafe { pipe_end(data) };
    process.tell(
        |functions| functions.pipe_data_received,
        // SAFETY: the host's function with the host's data.
        |function, process, data| unsafe { function(process, stream, bytes, count, data) },
    );
}

unsafe extern "C-unwind" fn pipe_pause_writing(_: *const Transport, data: *mut c_void) {
    let (process, _) = unsafe { pipe_end(data) };
    process.tell(
        |functions| functions.pause_writing,
        // SAFETY: the host's function with the host's data.
        |function, process, data| unsafe { function(process, data) },
    );
}

unsafe extern "C-unwind" fn pipe_resume_writing(_: *const Transport, data: *mut c_void) {
    let (process, _) = unsafe { pipe_end(data) };
    process.tell(
        |functions| functions.resume_writing,
        // SAFETY: the host's function with the host's data.
        |function, process, data| unsafe { function(process, data) },
    );
}

unsafe extern "C-unwind" fn pipe_connection_lost(
    _: *const Transport,
    code: c_int,
    message: *const c_char,
    data: *mut c_void,
) {
    let (process, stream) = unsafe { pipe_end(data) };
    process.tell(
        |functions| functions.pipe_connection_lost,
        // SAFETY: the host's function with the host's data.
        |function, process, data| unsafe { function(process, stream, code, message, data) },
    );
    process.maybe_finish(|state| state.open_pipes = state.open_pipes.saturating_sub(1));
}

unsafe extern "C-unwind" fn pipe_released(data: *mut c_void) {
    // SAFETY: made by `connect_pipe`, released once.
    drop(unsafe { Box::from_raw(data.cast::<PipeEnd>()) });
}
