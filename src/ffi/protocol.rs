//! Protocols: what transports call.

use super::transport::loop_transport_t;
use super::types::loop_destroy_t;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::services::transport::{Functions, Protocol};
use std::ffi::{c_char, c_int, c_void};

/// What a transport calls: asyncio's Protocol and BufferedProtocol. Set `size` to
/// sizeof(loop_protocol_t); every function may be NULL. The struct is copied.
///
/// All functions run on the loop's thread. `transport` is borrowed for the call,
/// and valid until connection_lost returned; take a reference to keep it longer.
/// They may call every function on the transport.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_protocol_t {
    /// sizeof(loop_protocol_t).
    pub size: usize,
    /// The transport is ready; reading begins when this has returned. First
    /// call, and only once.
    pub connection_made: Option<
        unsafe extern "C-unwind" fn(transport: *mut loop_transport_t, user_data: *mut c_void),
    >,
    /// Bytes came, at most 256 KiB at a time; borrowed for the call.
    pub data_received: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            data: *const c_void,
            length: usize,
            user_data: *mut c_void,
        ),
    >,
    /// Set: used instead of data_received. Says where the next bytes go: at least
    /// one byte, which the protocol must leave in place until buffer_updated or
    /// the next call of this. `size_hint` is what is of use. 0, or a negative
    /// code, which ends the connection.
    pub get_buffer: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            size_hint: usize,
            ret_buffer: *mut *mut c_void,
            ret_size: *mut usize,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// The buffer now begins with so many bytes that came.
    pub buffer_updated: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            length: usize,
            user_data: *mut c_void,
        ),
    >,
    /// The peer sends no more. Greater than 0: the transport stays open for
    /// writing. 0 (also if this is NULL): it is closed.
    pub eof_received: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            user_data: *mut c_void,
        ) -> c_int,
    >,
    /// More than the high-water mark waits to be sent: write no more. Called
    /// inside the write that did it.
    pub pause_writing: Option<
        unsafe extern "C-unwind" fn(transport: *mut loop_transport_t, user_data: *mut c_void),
    >,
    /// No more than the low-water mark waits now: go on.
    pub resume_writing: Option<
        unsafe extern "C-unwind" fn(transport: *mut loop_transport_t, user_data: *mut c_void),
    >,
    /// The end; last call, and only once. A regular end (closed by this side, or
    /// by the peer): 0 and NULL; else the code and the text of what broke it.
    /// The descriptor is closed when this has returned.
    pub connection_lost: Option<
        unsafe extern "C-unwind" fn(
            transport: *mut loop_transport_t,
            code: c_int,
            message: *const c_char,
            user_data: *mut c_void,
        ),
    >,
}

const _: () = assert!(size_of::<loop_protocol_t>() == size_of::<Functions>());

/// Takes charge of the data, whether or not the functions can be used.
///
/// # Safety
/// `given` is NULL or points to a struct that begins with its size.
pub(super) unsafe fn protocol(
    given: *const loop_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> Result<Protocol> {
    let user_data = UserData::new(user_data, destroy);
    if given.is_null() {
        return Err(Error::Invalid("protocol is NULL"));
    }
    let mut functions = Functions::NONE;
    // SAFETY: the caller passes a struct whose first field is its size; C sees
    // the functions with another name for the transport.
    unsafe {
        super::guard::read_sized(given.cast::<c_void>(), &mut functions)
            .ok_or(Error::Invalid(wrong_size!("loop_protocol_t")))?;
    }
    functions.size = size_of::<Functions>();
    Ok(Protocol { functions, user_data })
}
