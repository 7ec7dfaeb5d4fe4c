//! Layers: transports of the host's own.

use super::guard::{guard, kept, read_sized, store};
use super::protocol::{loop_protocol_t, protocol};
use super::transport::{into_raw, loop_iovec_t, loop_transport_t, transport};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::services::transport::Transport;
use crate::services::transport::layer::{Layer, LayerFunctions};
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

/// What a layer does when the transport it makes is asked for something: for
/// protocols that stand on others, such as TLS. Set `size` to
/// sizeof(loop_layer_t). A NULL function means LOOP_ENOTSUP. The struct is copied.
///
/// Each function answers 0 or more, or a negative code, which its caller gets. All
/// run on the loop's thread, and none after loop_layer_connection_lost.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_layer_t {
    /// sizeof(loop_layer_t).
    pub size: usize,
    /// loop_transport_write, _writev and _write_owned: the pieces are borrowed
    /// for the call.
    pub write: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            pieces: *const loop_iovec_t,
            count: usize,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// loop_transport_write_eof.
    pub write_eof: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// loop_transport_close, once at most: sooner or later call
    /// loop_layer_connection_lost, but not from inside.
    pub close: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// loop_transport_abort (0 and NULL) and loop_transport_fail.
    pub abort: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            code: c_int,
            message: *const c_char,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// loop_transport_pause_reading.
    pub pause_reading: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// loop_transport_resume_reading.
    pub resume_reading: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// loop_transport_is_reading.
    pub is_reading: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// loop_transport_set_write_buffer_limits.
    pub set_write_buffer_limits: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            high: usize,
            low: usize,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// loop_transport_get_write_buffer_size and _get_write_buffer_limits.
    pub get_write_buffer: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            ret_size: *mut usize,
            ret_high: *mut usize,
            ret_low: *mut usize,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// loop_transport_get_extra_info.
    pub get_extra_info: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            name: *const c_char,
            ret_value: *mut *mut c_void,
            user_data: *mut c_void,
        ) -> c_int,
    >,
}

const _: () = assert!(size_of::<loop_layer_t>() == size_of::<LayerFunctions>());

/// A transport in *ret_transport, with a reference, whose functions are those of
/// `layer`, called with layer_data, and whose protocol is `protocol`. The layer is
/// usually the protocol of a lower transport, and hands on what that tells it by
/// the functions below, connection_made first.
///
/// The transport is kept by the loop until loop_layer_connection_lost; then, or
/// when the loop is closed, protocol_data and layer_data are destroyed, also when
/// this call fails. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD,
/// -ENOMEM. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_transport_new_layer(
    r#loop: *mut loop_t,
    layer: *const loop_layer_t,
    layer_data: *mut c_void,
    layer_destroy: loop_destroy_t,
    protocol: *const loop_protocol_t,
    protocol_data: *mut c_void,
    protocol_destroy: loop_destroy_t,
    ret_transport: *mut *mut loop_transport_t,
) -> c_int {
    guard(|| {
        let layer_data = UserData::new(layer_data, layer_destroy);
        let protocol = unsafe { self::protocol(protocol, protocol_data, protocol_destroy) };
        let event_loop = unsafe { kept(r#loop)? };
        if layer.is_null() || ret_transport.is_null() {
            return Err(Error::Invalid("layer or ret_transport is NULL"));
        }
        let mut functions = LayerFunctions::NONE;
        unsafe { read_sized(layer.cast::<c_void>(), &mut functions) }
            .ok_or(Error::Invalid(wrong_size!("loop_layer_t")))?;
        let made = Layer::make(&event_loop, functions, layer_data, protocol?)?;
        unsafe { store(ret_transport, into_raw(made))? };
        Ok(0)
    })
}

/// Runs `body` with the layer behind a transport.
unsafe fn with_layer<R>(
    pointer: *mut loop_transport_t,
    body: impl FnOnce(&Layer, &Arc<Transport>) -> Result<R>,
) -> Result<R> {
    let transport = unsafe { transport(pointer)? };
    let layer = transport.downcast::<Layer>();
    body(layer.ok_or(Error::Unsupported("the transport is no layer"))?, &transport)
}

/// Calls the protocol's connection_made. Like all these functions: LOOP_EINVAL,
/// LOOP_ENOTSUP for a transport that is no layer, LOOP_ECLOSED, LOOP_EFORKED,
/// LOOP_EWRONG_THREAD; nothing after loop_layer_connection_lost. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_layer_connection_made(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with_layer(transport, |l, t| l.connection_made(t).map(|()| 0)) })
}

/// Calls data_received, or get_buffer and buffer_updated as often as it takes.
/// If get_buffer fails, its code, or LOOP_EINVAL for an empty buffer: the rest is
/// not handed on then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_layer_data_received(
    transport: *mut loop_transport_t,
    data: *const c_void,
    length: usize,
) -> c_int {
    guard(|| {
        if data.is_null() && length != 0 {
            return Err(Error::Invalid("data is NULL"));
        }
        let bytes = match length {
            0 => &[],
            // SAFETY: the caller promises so many bytes.
            _ => unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) },
        };
        unsafe { with_layer(transport, |l, t| l.data_received(t, bytes).map(|()| 0)) }
    })
}

/// Calls eof_received: 1 if the protocol wants to stay open for writing, else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_layer_eof_received(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with_layer(transport, |l, t| l.eof_received(t).map(c_int::from)) })
}

/// Calls pause_writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_layer_pause_writing(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with_layer(transport, |l, t| l.flow(t, true).map(|()| 0)) })
}

/// Calls resume_writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_layer_resume_writing(transport: *mut loop_transport_t) -> c_int {
    guard(|| unsafe { with_layer(transport, |l, t| l.flow(t, false).map(|()| 0)) })
}

/// Calls connection_lost, the first time; then protocol and layer are destroyed.
/// `message` is borrowed for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_layer_connection_lost(
    transport: *mut loop_transport_t,
    code: c_int,
    message: *const c_char,
) -> c_int {
    guard(|| {
        let message = unsafe { super::future::text(message) };
        unsafe { with_layer(transport, |l, t| l.connection_lost(t, code, message).map(|()| 0)) }
    })
}

versioned!(
    "loop_transport_new_layer",
    "loop_layer_connection_made",
    "loop_layer_data_received",
    "loop_layer_eof_received",
    "loop_layer_pause_writing",
    "loop_layer_resume_writing",
    "loop_layer_connection_lost",
);
