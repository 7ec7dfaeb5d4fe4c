//! Protocols: what a transport calls. A protocol may be replaced, and may end,
//! inside one of its own calls; its data lives until that call has returned.

use super::Transport;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::memory::{try_arc, try_box};
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

/// The functions of a stream protocol; the C struct of the same name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Functions {
    /// `sizeof` of this struct, as the library knows it.
    pub size: usize,
    /// The transport is ready.
    pub connection_made: Option<unsafe extern "C-unwind" fn(*const Transport, *mut c_void)>,
    /// Bytes came, borrowed for the call.
    pub data_received:
        Option<unsafe extern "C-unwind" fn(*const Transport, *const c_void, usize, *mut c_void)>,
    /// Where to put the bytes that come; used instead of `data_received`.
    pub get_buffer: Option<GetBufferFn>,
    /// So many bytes are in that buffer.
    pub buffer_updated: Option<unsafe extern "C-unwind" fn(*const Transport, usize, *mut c_void)>,
    /// The peer sends no more. Greater than 0: stay open for writing.
    pub eof_received: Option<unsafe extern "C-unwind" fn(*const Transport, *mut c_void) -> c_int>,
    /// More than the high-water mark waits to be sent.
    pub pause_writing: Option<unsafe extern "C-unwind" fn(*const Transport, *mut c_void)>,
    /// The low-water mark is reached again.
    pub resume_writing: Option<unsafe extern "C-unwind" fn(*const Transport, *mut c_void)>,
    /// The end: a code and a text, or 0 and NULL.
    pub connection_lost:
        Option<unsafe extern "C-unwind" fn(*const Transport, c_int, *const c_char, *mut c_void)>,
}

/// asyncio's `BufferedProtocol.get_buffer`.
pub type GetBufferFn = unsafe extern "C-unwind" fn(
    *const Transport,
    usize,
    *mut *mut c_void,
    *mut usize,
    *mut c_void,
) -> c_int;

impl Functions {
    /// A protocol that ignores everything.
    pub const NONE: Functions = Functions {
        size: size_of::<Functions>(),
        connection_made: None,
        data_received: None,
        get_buffer: None,
        buffer_updated: None,
        eof_received: None,
        pause_writing: None,
        resume_writing: None,
        connection_lost: None,
    };

    /// Are these the same functions?
    pub(super) fn is_same(&self, other: &Functions) -> bool {
        type Words = [usize; size_of::<Functions>() / size_of::<usize>()];
        // SAFETY: a size and pointers, without padding.
        unsafe {
            std::mem::transmute_copy::<Functions, Words>(self)
                == std::mem::transmute_copy::<Functions, Words>(other)
        }
    }
}

/// A protocol: functions, and the data they are called with, which is destroyed
/// when this is dropped.
pub struct Protocol {
    /// What to call.
    pub functions: Functions,
    /// Passed to it.
    pub user_data: UserData,
}

/// A transport's protocol, whatever its functions are. What ends in the middle
/// of a call stays here until no call is left; that needs no memory.
pub struct ProtocolSlot<F> {
    current: Option<Instance<F>>,
    /// The protocol ended, though it may still be in use.
    ended: bool,
    /// How many of its functions are being called.
    calls: u32,
    /// What was replaced in the middle of a call.
    retired: Option<Box<Retired<F>>>,
}

/// Functions and data.
pub type Instance<F> = (Arc<F>, UserData);

/// Room for a protocol that is replaced in the middle of a call.
pub struct Retired<F> {
    instance: Option<Instance<F>>,
    next: Option<Box<Retired<F>>>,
}

/// Protocols that nobody uses any more. To be dropped when nothing is borrowed.
pub struct Ended<F> {
    #[allow(dead_code)]
    current: Option<Instance<F>>,
    retired: Option<Box<Retired<F>>>,
}

impl<F> Drop for Ended<F> {
    fn drop(&mut self) {
        // One after the other: they may be many.
        while let Some(mut retired) = self.retired.take() {
            drop(retired.instance.take());
            self.retired = retired.next.take();
        }
    }
}

impl<F> ProtocolSlot<F> {
    /// The first protocol.
    pub fn new(functions: Arc<F>, user_data: UserData) -> Self {
        let current = Some((functions, user_data));
        ProtocolSlot { current, ended: false, calls: 0, retired: None }
    }

    /// The functions and the data, if the protocol did not end yet.
    pub fn current(&self) -> Option<(&F, *mut c_void)> {
        let (functions, data) = self.current.as_ref().filter(|_| !self.ended)?;
        Some((functions, data.get()))
    }

    /// A call begins: the function that `choose` finds and its data, which then
    /// lives until `end`, to be called once for each `Some`.
    #[inline]
    pub fn begin<T>(&mut self, choose: impl FnOnce(&F) -> Option<T>) -> Option<(T, *mut c_void)> {
        let (functions, data) = self.current()?;
        let function = choose(functions)?;
        self.calls += 1;
        Some((function, data))
    }

    /// A call ended. What is returned must be dropped when nothing is borrowed.
    #[inline]
    #[must_use]
    pub fn end(&mut self) -> Option<Ended<F>> {
        self.calls = self.calls.saturating_sub(1);
        if self.calls != 0 || (!self.ended && self.retired.is_none()) {
            return None;
        }
        let current = if self.ended { self.current.take() } else { None };
        Some(Ended { current, retired: self.retired.take() })
    }

    /// The protocol ends. What is returned must be dropped when nothing is
    /// borrowed.
    #[must_use]
    pub fn close(&mut self) -> Option<Ended<F>> {
        self.ended = true;
        if self.calls == 0 {
            return Some(Ended { current: self.current.take(), retired: self.retired.take() });
        }
        None
    }

    /// Another protocol takes over, unless this one ended: then it comes back.
    /// What is returned must be dropped when nothing is borrowed.
    pub fn replace(&mut self, next: Instance<F>) -> (Result<()>, Option<Instance<F>>) {
        if self.ended {
            return (Err(Error::InvalidState("the connection was lost")), Some(next));
        }
        if self.calls == 0 {
            return (Ok(()), self.current.replace(next));
        }
        match try_box(Retired { instance: None, next: None }) {
            Err(error) => (Err(error), Some(next)),
            Ok(mut retired) => {
                retired.instance = self.current.replace(next);
                retired.next = self.retired.take();
                self.retired = Some(retired);
                (Ok(()), None)
            }
        }
    }
}

/// Remembers functions, so that many transports share one copy of them.
pub(super) fn share(
    place: &mut Option<Arc<Functions>>,
    given: &Functions,
) -> Result<Arc<Functions>> {
    if let Some(known) = place
        && known.is_same(given)
    {
        return Ok(known.clone());
    }
    let functions = try_arc(*given)?;
    *place = Some(functions.clone());
    Ok(functions)
}
