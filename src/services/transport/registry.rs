//! What the transports of one loop share: the list of them, by descriptor, and
//! one buffer to receive into, so that an idle connection costs none.

use super::Transport;
use super::protocol::{self, Functions};
use crate::error::{Error, Result};
use crate::event_loop::{Attachment, Detach, EventLoop, Hold};
use crate::loop_cell::LoopCell;
use crate::memory::probe_array;
use crate::platform::fd::RawFd;
use slab::Slab;
use std::sync::Arc;

/// The most that is received at a time.
pub const READ_SIZE: usize = 256 * 1024;

/// The transports of a loop.
pub struct Registry {
    state: LoopCell<State>,
}

struct State {
    /// Each open transport, at the place of its descriptor. This keeps it alive
    /// until its connection is lost, whatever references the host has.
    by_fd: Vec<Option<Arc<Transport>>>,
    /// Open transports without a descriptor.
    layers: Slab<Arc<Transport>>,
    buffer: Option<Box<[u8]>>,
    functions: Option<Arc<Functions>>,
    closed: bool,
}

impl Registry {
    /// That of a loop.
    pub fn of(event_loop: &EventLoop) -> Result<Arc<Registry>> {
        event_loop.attachment(|| {
            Ok(Registry {
                state: LoopCell::new(State {
                    by_fd: Vec::new(),
                    layers: Slab::new(),
                    buffer: None,
                    functions: None,
                    closed: false,
                }),
            })
        })
    }

    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: the hold is that of the registry's loop; nothing foreign runs
        // in the bodies below.
        unsafe { self.state.with(body) }
    }

    /// Enters an open transport.
    pub fn insert(&self, hold: &Hold<'_>, fd: RawFd, transport: &Arc<Transport>) -> Result<()> {
        let index = usize::try_from(fd).map_err(|_| Error::BadDescriptor(fd))?;
        self.with(hold, |state| {
            if state.closed {
                return Err(Error::Closed);
            }
            if index >= state.by_fd.len() {
                let more = index + 1 - state.by_fd.len();
                state.by_fd.try_reserve(more).map_err(|_| Error::NO_MEMORY)?;
                state.by_fd.resize(index + 1, None);
            }
            match &mut state.by_fd[index] {
                Some(_) => Err(Error::UsedByTransport(fd)),
                place => {
                    *place = Some(transport.clone());
                    Ok(())
                }
            }
        })
    }

    /// Takes one out, if it stands there. To be dropped when nothing is borrowed.
    pub fn remove(
        &self,
        hold: &Hold<'_>,
        fd: RawFd,
        transport: &Arc<Transport>,
    ) -> Option<Arc<Transport>> {
        let index = usize::try_from(fd).ok()?;
        self.with(hold, |state| {
            state.by_fd.get_mut(index)?.take_if(|entry| Arc::ptr_eq(entry, transport))
        })
    }

    /// Those with a descriptor of which `chosen` is true.
    pub fn filter(
        &self,
        hold: &Hold<'_>,
        chosen: impl Fn(&Transport) -> bool,
    ) -> Result<Vec<Arc<Transport>>> {
        self.with(hold, |state| {
            let mut found = Vec::new();
            for transport in state.by_fd.iter().flatten().filter(|transport| chosen(transport)) {
                found.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
                found.push(transport.clone());
            }
            Ok(found)
        })
    }

    /// Enters an open transport that has no descriptor: its place.
    pub fn insert_layer(&self, hold: &Hold<'_>, transport: &Arc<Transport>) -> Result<usize> {
        self.with(hold, |state| {
            if state.closed {
                return Err(Error::Closed);
            }
            if state.layers.len() == state.layers.capacity() {
                let more = state.layers.capacity().max(4);
                probe_array::<(usize, usize)>(state.layers.capacity() + more)?;
                state.layers.reserve(more);
            }
            Ok(state.layers.insert(transport.clone()))
        })
    }

    /// Takes one out, once. To be dropped when nothing is borrowed.
    pub fn remove_layer(&self, hold: &Hold<'_>, place: usize) -> Option<Arc<Transport>> {
        self.with(hold, |state| state.layers.try_remove(place))
    }

    /// One copy of functions that many transports have.
    pub fn share(&self, hold: &Hold<'_>, functions: &Functions) -> Result<Arc<Functions>> {
        self.with(hold, |state| protocol::share(&mut state.functions, functions))
    }

    /// The buffer to receive into. A child that was forked while it was in use,
    /// and runs the loop again inside, gets another one.
    pub fn take_buffer(&self, hold: &Hold<'_>) -> Result<Box<[u8]>> {
        match self.with(hold, |state| state.buffer.take()) {
            Some(buffer) => Ok(buffer),
            None => new_buffer(),
        }
    }

    /// Gives it back.
    pub fn give_buffer(&self, hold: &Hold<'_>, buffer: Box<[u8]>) {
        self.with(hold, |state| state.buffer = Some(buffer));
    }
}

fn new_buffer() -> Result<Box<[u8]>> {
    let layout = std::alloc::Layout::new::<[u8; READ_SIZE]>();
    // SAFETY: not empty; zeroed bytes are initialised; a boxed slice of bytes
    // has this layout. Pages that nothing was received into cost nothing.
    unsafe {
        let place = std::alloc::alloc_zeroed(layout);
        if place.is_null() {
            return Err(Error::NO_MEMORY);
        }
        Ok(Box::from_raw(std::ptr::slice_from_raw_parts_mut(place, READ_SIZE)))
    }
}

impl Attachment for Registry {
    fn detached(&self, why: Detach) {
        // SAFETY: the loop let go of us. Where another thread has a hold, it
        // only asks; what it may borrow meanwhile is left alone.
        let transports = unsafe {
            self.state.try_with(|state| {
                state.closed = true;
                state.buffer = None;
                (std::mem::take(&mut state.by_fd), std::mem::take(&mut state.layers))
            })
        };
        let Some((by_fd, layers)) = transports else { return };
        // Upper ones first.
        let layers = layers.into_iter().rev().map(|(_, transport)| transport);
        for transport in layers.chain(by_fd.into_iter().flatten()) {
            transport.operations().detached(&transport, why);
        }
    }
}
