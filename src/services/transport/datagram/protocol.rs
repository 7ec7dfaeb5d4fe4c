//! What a datagram transport calls: asyncio's `DatagramProtocol`.

use super::super::Transport;
use crate::callback::UserData;
use std::ffi::{c_char, c_int, c_void};

/// The functions of a datagram protocol; the C struct of the same name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DatagramFunctions {
    /// `sizeof` of this struct, as the library knows it.
    pub size: usize,
    /// The transport is ready.
    pub connection_made: Option<unsafe extern "C-unwind" fn(*const Transport, *mut c_void)>,
    /// A datagram came, borrowed for the call, and where it came from.
    pub datagram_received: Option<ReceivedFn>,
    /// Sending or receiving failed; the transport goes on.
    pub error_received: Option<unsafe extern "C-unwind" fn(*const Transport, c_int, *mut c_void)>,
    /// More than the high-water mark waits to be sent.
    pub pause_writing: Option<unsafe extern "C-unwind" fn(*const Transport, *mut c_void)>,
    /// The low-water mark is reached again.
    pub resume_writing: Option<unsafe extern "C-unwind" fn(*const Transport, *mut c_void)>,
    /// The end: a code and a text, or 0 and NULL.
    pub connection_lost:
        Option<unsafe extern "C-unwind" fn(*const Transport, c_int, *const c_char, *mut c_void)>,
}

/// asyncio's `datagram_received`: data, address, and how long each is.
pub type ReceivedFn = unsafe extern "C-unwind" fn(
    *const Transport,
    *const c_void,
    usize,
    *const c_void,
    usize,
    *mut c_void,
);

/// A protocol: functions, and the data they are called with, which is destroyed
/// when this is dropped.
pub struct DatagramProtocol {
    /// What to call.
    pub functions: DatagramFunctions,
    /// Passed to it.
    pub user_data: UserData,
}
