//! Layers: transports that a host makes of others, such as TLS. The library
//! calls the layer for what is asked of the transport; the layer hands on what
//! its lower transport tells it.

use super::protocol::{Functions, Protocol, ProtocolSlot};
use super::registry::{READ_SIZE, Registry};
use super::{Input, Operations, Reason, Transport};
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::{Detach, EventLoop, Hold};
use crate::loop_cell::LoopCell;
use crate::memory::{try_arc, try_box};
use crate::platform::sys;
use std::any::Any;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;

type Simple = Option<unsafe extern "C-unwind" fn(*const Transport, *mut c_void) -> c_int>;

/// What a layer can do; the C struct `loop_layer_t`. Each answers 0 or more, or
/// a negative code.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LayerFunctions {
    /// `sizeof` of this struct, as the library knows it.
    pub size: usize,
    /// Sends pieces: how many follows.
    pub write: Option<
        unsafe extern "C-unwind" fn(
            *const Transport,
            *const sys::iovec,
            usize,
            *mut c_void,
        ) -> c_int,
    >,
    /// Sends no more.
    pub write_eof: Simple,
    /// Ends when everything is sent.
    pub close: Simple,
    /// Ends at once: a code and a text, or 0 and NULL.
    pub abort: Option<
        unsafe extern "C-unwind" fn(*const Transport, c_int, *const c_char, *mut c_void) -> c_int,
    >,
    /// Receives no more.
    pub pause_reading: Simple,
    /// Receives again.
    pub resume_reading: Simple,
    /// Does it receive?
    pub is_reading: Simple,
    /// The high and the low mark; `usize::MAX` where none is given.
    pub set_write_buffer_limits:
        Option<unsafe extern "C-unwind" fn(*const Transport, usize, usize, *mut c_void) -> c_int>,
    /// How many bytes wait, and the high and the low mark.
    pub get_write_buffer: Option<
        unsafe extern "C-unwind" fn(
            *const Transport,
            *mut usize,
            *mut usize,
            *mut usize,
            *mut c_void,
        ) -> c_int,
    >,
    /// What is known under a name.
    pub get_extra_info: Option<
        unsafe extern "C-unwind" fn(
            *const Transport,
            *const c_char,
            *mut *mut c_void,
            *mut c_void,
        ) -> c_int,
    >,
}

impl LayerFunctions {
    /// A layer that can do nothing.
    pub const NONE: LayerFunctions = LayerFunctions {
        size: size_of::<LayerFunctions>(),
        write: None,
        write_eof: None,
        close: None,
        abort: None,
        pause_reading: None,
        resume_reading: None,
        is_reading: None,
        set_write_buffer_limits: None,
        get_write_buffer: None,
        get_extra_info: None,
    };
}

/// A transport whose functions are the host's.
pub struct Layer {
    registry: Arc<Registry>,
    state: LoopCell<State>,
}

struct State {
    /// The host's functions and data, until connection_lost returned.
    layer: ProtocolSlot<LayerFunctions>,
    protocol: ProtocolSlot<Functions>,
    place: Option<usize>,
    closing: bool,
}

/// What a layer has not got.
const MISSING: Error = Error::Unsupported("the layer does not support this");

impl Layer {
    /// A transport for a layer and its protocol. connection_made is the layer's
    /// to call.
    pub fn make(
        event_loop: &EventLoop,
        functions: LayerFunctions,
        user_data: UserData,
        protocol: Protocol,
    ) -> Result<Arc<Transport>> {
        let registry = Registry::of(event_loop)?;
        let hold = event_loop.hold()?;
        let shared = registry.share(&hold, &protocol.functions)?;
        let layer = try_box(Layer {
            registry: registry.clone(),
            state: LoopCell::new(State {
                layer: ProtocolSlot::new(try_arc(functions)?, user_data),
                protocol: ProtocolSlot::new(shared, protocol.user_data),
                place: None,
                closing: false,
            }),
        })?;
        let transport = Transport::new(event_loop, layer)?;
        let place = registry.insert_layer(&hold, &transport)?;
        if let Some(layer) = transport.downcast::<Layer>() {
            layer.with(&hold, |state| state.place = Some(place));
        }
        Ok(transport)
    }

    fn with<R>(&self, _hold: &Hold<'_>, body: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: the hold is that of the transport's loop.
        unsafe { self.state.with(body) }
    }

    /// Calls the layer. None if it ended.
    fn ask<F>(
        &self,
        transport: &Arc<Transport>,
        choose: impl FnOnce(&LayerFunctions) -> Option<F>,
        run: impl FnOnce(F, *const Transport, *mut c_void) -> c_int,
    ) -> Result<Option<c_int>> {
        let hold = transport.event_loop.hold()?;
        transport.event_loop.check_open()?;
        let function = self.with(&hold, |state| {
            if state.layer.current().is_none() {
                return Ok(None);
            }
            state.layer.begin(choose).map(Some).ok_or(MISSING)
        })?;
        drop(hold);
        let Some((function, data)) = function else { return Ok(None) };
        let code = run(function, Arc::as_ptr(transport), data);
        if let Ok(hold) = transport.event_loop.hold() {
            let retired = self.with(&hold, |state| state.layer.end());
            drop(hold);
            drop(retired);
        }
        if code < 0 { Err(Error::Failed(code)) } else { Ok(Some(code)) }
    }

    fn ask_simply(
        &self,
        transport: &Arc<Transport>,
        choose: impl FnOnce(&LayerFunctions) -> Simple,
    ) -> Result<Option<c_int>> {
        // SAFETY: the host's function with the host's data.
        self.ask(transport, choose, |function, transport, data| unsafe {
            function(transport, data)
        })
    }

    /// Calls the protocol above. None if its connection_lost was called, or it
    /// has no such function.
    fn tell<F, R>(
        &self,
        transport: &Arc<Transport>,
        choose: impl FnOnce(&Functions) -> Option<F>,
        run: impl FnOnce(F, *const Transport, *mut c_void) -> R,
    ) -> Result<Option<R>> {
        let hold = transport.event_loop.hold()?;
        transport.event_loop.check_open()?;
        let function = self.with(&hold, |state| {
            state.place?;
            state.protocol.begin(choose)
        });
        drop(hold);
        let Some((function, data)) = function else { return Ok(None) };
        let result = run(function, Arc::as_ptr(transport), data);
        self.told(transport);
        Ok(Some(result))
    }

    /// A call of the protocol above has returned.
    fn told(&self, transport: &Arc<Transport>) {
        if let Ok(hold) = transport.event_loop.hold() {
            let retired = self.with(&hold, |state| state.protocol.end());
            drop(hold);
            drop(retired);
        }
    }

    /// For the protocol above: it is ready.
    pub fn connection_made(&self, transport: &Arc<Transport>) -> Result<()> {
        // SAFETY: here and below: the host's function with the host's data.
        let run = |function: unsafe extern "C-unwind" fn(*const Transport, *mut c_void),
                   transport,
                   data| unsafe { function(transport, data) };
        self.tell(transport, |functions| functions.connection_made, run).map(drop)
    }

    /// For the protocol above: too much waits, or little.
    pub fn flow(&self, transport: &Arc<Transport>, pause: bool) -> Result<()> {
        let run = |function: unsafe extern "C-unwind" fn(*const Transport, *mut c_void),
                   transport,
                   data| unsafe { function(transport, data) };
        let choose = |functions: &Functions| {
            if pause { functions.pause_writing } else { functions.resume_writing }
        };
        self.tell(transport, choose, run).map(drop)
    }

    /// For the protocol above: no more comes. Its answer.
    pub fn eof_received(&self, transport: &Arc<Transport>) -> Result<bool> {
        let keeps = self.tell(
            transport,
            |functions| functions.eof_received,
            |function, transport, data| unsafe { function(transport, data) },
        )?;
        Ok(keeps.is_some_and(|keeps| keeps > 0))
    }

    /// For the protocol above: bytes, which it gets in the way it wants them.
    pub fn data_received(&self, transport: &Arc<Transport>, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.tell(
                transport,
                |functions| {
                    Some((functions.get_buffer, functions.buffer_updated, functions.data_received))
                },
                |(get_buffer, updated, received), transport, data| {
                    let Some(get_buffer) = get_buffer else {
                        if let Some(received) = received {
                            unsafe { received(transport, rest.as_ptr().cast(), rest.len(), data) };
                        }
                        return Ok(rest.len());
                    };
                    let (mut place, mut length) = (std::ptr::null_mut(), 0);
                    let hint = rest.len().min(READ_SIZE);
                    let code =
                        unsafe { get_buffer(transport, hint, &mut place, &mut length, data) };
                    if code < 0 {
                        return Err(Error::Failed(code));
                    }
                    if place.is_null() || length == 0 {
                        return Err(Error::Invalid("get_buffer() returned an empty buffer"));
                    }
                    let count = length.min(rest.len());
                    // SAFETY: the host gave so much room; perhaps where the bytes are.
                    unsafe { place.cast::<u8>().copy_from(rest.as_ptr(), count) };
                    if let Some(updated) = updated {
                        unsafe { updated(transport, count, data) };
                    }
                    Ok(count)
                },
            )?;
            let Some(taken) = taken else { return Ok(()) };
            rest = rest.get(taken?..).unwrap_or_default();
        }
        Ok(())
    }

    /// For the protocol above: the end. Then layer and protocol are destroyed.
    pub fn connection_lost(
        &self,
        transport: &Arc<Transport>,
        code: c_int,
        message: Option<&CStr>,
    ) -> Result<()> {
        let text = message.map_or(std::ptr::null(), CStr::as_ptr);
        let hold = transport.event_loop.hold()?;
        transport.event_loop.check_open()?;
        // Whoever takes the place is the first, and the only one.
        let taken = self.with(&hold, |state| {
            state.closing = true;
            let place = state.place.take()?;
            Some((place, state.protocol.begin(|functions| functions.connection_lost)))
        });
        drop(hold);
        let Some((place, function)) = taken else { return Ok(()) };
        if let Some((function, data)) = function {
            unsafe { function(Arc::as_ptr(transport), code, text, data) };
            self.told(transport);
        }
        self.end(transport, Some(place))
    }

    fn end(&self, transport: &Arc<Transport>, place: Option<usize>) -> Result<()> {
        let hold = transport.event_loop.hold()?;
        let entry = place.and_then(|place| self.registry.remove_layer(&hold, place));
        let ended = self.with(&hold, |state| {
            state.closing = true;
            (state.protocol.close(), state.layer.close())
        });
        drop(hold);
        drop((entry, ended));
        Ok(())
    }
}

impl Operations for Layer {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn write(&self, transport: &Arc<Transport>, input: Input<'_>) -> Result<()> {
        let transport = &transport.clone();
        let parts = input.parts;
        self.ask(
            transport,
            |functions| functions.write,
            // SAFETY: here and below: the host's function with the host's data.
            |function, transport, data| unsafe {
                function(transport, parts.as_ptr(), parts.len(), data)
            },
        )
        .map(drop)
    }

    fn write_eof(&self, transport: &Arc<Transport>) -> Result<()> {
        self.ask_simply(transport, |functions| functions.write_eof).map(drop)
    }

    fn can_write_eof(&self, transport: &Arc<Transport>) -> Result<bool> {
        let hold = transport.event_loop.hold()?;
        Ok(self.with(&hold, |state| {
            state.layer.current().is_some_and(|(functions, _)| functions.write_eof.is_some())
        }))
    }

    fn close(&self, transport: &Arc<Transport>) -> Result<()> {
        let hold = transport.event_loop.hold()?;
        let first = self.with(&hold, |state| !std::mem::replace(&mut state.closing, true));
        drop(hold);
        if first {
            self.ask_simply(transport, |functions| functions.close).map(drop)
        } else {
            Ok(())
        }
    }

    fn abort(&self, transport: &Arc<Transport>, reason: Option<Reason>) -> Result<()> {
        let hold = transport.event_loop.hold()?;
        self.with(&hold, |state| state.closing = true);
        drop(hold);
        let code = reason.as_ref().map_or(0, |reason| reason.code);
        let text = reason.as_ref().and_then(|reason| reason.message.as_deref());
        let text = text.map_or(std::ptr::null(), CStr::as_ptr);
        self.ask(
            transport,
            |functions| functions.abort,
            |function, transport, data| unsafe { function(transport, code, text, data) },
        )
        .map(drop)
    }

    fn is_closing(&self, transport: &Arc<Transport>) -> Result<bool> {
        let hold = transport.event_loop.hold()?;
        Ok(self.with(&hold, |state| state.closing))
    }

    fn pause_reading(&self, transport: &Arc<Transport>) -> Result<()> {
        self.ask_simply(transport, |functions| functions.pause_reading).map(drop)
    }

    fn resume_reading(&self, transport: &Arc<Transport>) -> Result<()> {
        self.ask_simply(transport, |functions| functions.resume_reading).map(drop)
    }

    fn is_reading(&self, transport: &Arc<Transport>) -> Result<bool> {
        let answer = self.ask_simply(transport, |functions| functions.is_reading)?;
        Ok(answer.is_some_and(|answer| answer > 0))
    }

    fn set_write_buffer_limits(
        &self,
        transport: &Arc<Transport>,
        high: Option<usize>,
        low: Option<usize>,
    ) -> Result<()> {
        let (high, low) = (high.unwrap_or(usize::MAX), low.unwrap_or(usize::MAX));
        self.ask(
            transport,
            |functions| functions.set_write_buffer_limits,
            |function, transport, data| unsafe { function(transport, high, low, data) },
        )
        .map(drop)
    }

    fn write_buffer_size(&self, transport: &Arc<Transport>) -> Result<usize> {
        self.write_buffer(transport).map(|(size, ..)| size)
    }

    fn write_buffer_limits(&self, transport: &Arc<Transport>) -> Result<(usize, usize)> {
        self.write_buffer(transport).map(|(_, high, low)| (low, high))
    }

    fn set_protocol(&self, transport: &Arc<Transport>, protocol: Protocol) -> Result<()> {
        let hold = transport.event_loop.hold()?;
        let functions = self.registry.share(&hold, &protocol.functions)?;
        let next = (functions, protocol.user_data);
        let (result, old) = self.with(&hold, |state| state.protocol.replace(next));
        drop(hold);
        drop(old);
        result
    }

    fn protocol_data(&self, transport: &Arc<Transport>) -> Result<*mut c_void> {
        let hold = transport.event_loop.hold()?;
        Ok(self.with(&hold, |state| {
            state.protocol.current().map_or(std::ptr::null_mut(), |(_, data)| data)
        }))
    }

    fn extra_info(&self, transport: &Arc<Transport>, name: &CStr) -> Result<*mut c_void> {
        let mut value = std::ptr::null_mut();
        self.ask(
            transport,
            |functions| functions.get_extra_info,
            |function, transport, data| unsafe {
                function(transport, name.as_ptr(), &mut value, data)
            },
        )?;
        Ok(value)
    }

    fn detached(&self, transport: &Arc<Transport>, _why: Detach) {
        let _ = self.end(transport, None);
    }
}

impl Layer {
    fn write_buffer(&self, transport: &Arc<Transport>) -> Result<(usize, usize, usize)> {
        let (mut size, mut high, mut low) = (0, 0, 0);
        self.ask(
            transport,
            |functions| functions.get_write_buffer,
            |function, transport, data| unsafe {
                function(transport, &mut size, &mut high, &mut low, data)
            },
        )?;
        Ok((size, high, low))
    }
}
