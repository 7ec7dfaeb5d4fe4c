//! Operations on the host's sockets.

use super::future::{give, loop_future_t};
use super::guard::{event_loop, guard};
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::services::future::Future;
use crate::services::sockets::{self, Accepted, Address, Data, Received};
use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::sync::Arc;

/// What was received: the result of loop_sock_recv, loop_sock_recvfrom and
/// loop_sock_recvfrom_into. It belongs to its future and lives as long.
#[repr(C)]
pub struct loop_received_t {
    /// How many bytes; 0 at the end of a stream.
    pub length: usize,
    /// The bytes: the future's own, or those of the buffer that was given.
    pub data: *const c_void,
    /// The length of the address; 0 where none was asked for, or the sender
    /// has none.
    pub address_length: usize,
    /// From whom: a struct sockaddr, or NULL.
    pub address: *const c_void,
}

/// A connection: the result of loop_sock_accept. It belongs to its future and
/// lives as long; so does its descriptor, unless loop_accepted_take takes it.
#[repr(C)]
pub struct loop_accepted_t {
    /// The descriptor: close-on-exec and non-blocking; -1 when it was taken.
    pub fd: c_int,
    /// The length of the address.
    pub address_length: usize,
    /// The peer: a struct sockaddr, or NULL.
    pub address: *const c_void,
}

// Both begin as the library's own structs do.
const _: () = assert!(
    offset_of!(loop_received_t, length) == offset_of!(Received, length)
        && offset_of!(loop_received_t, data) == offset_of!(Received, data)
        && offset_of!(loop_received_t, address_length) == offset_of!(Received, address_length)
        && offset_of!(loop_received_t, address) == offset_of!(Received, address)
        && offset_of!(loop_accepted_t, fd) == offset_of!(Accepted, fd)
        && offset_of!(loop_accepted_t, address_length) == offset_of!(Accepted, address_length)
        && offset_of!(loop_accepted_t, address) == offset_of!(Accepted, address)
);

/// Starts an operation, if its future has somewhere to go.
///
/// # Safety
/// As `give` and `event_loop`.
unsafe fn start(
    pointer: *mut loop_t,
    ret_future: *mut *mut loop_future_t,
    operation: impl FnOnce(&EventLoop) -> Result<Arc<Future>>,
) -> Result<c_int> {
    let event_loop = unsafe { event_loop(pointer)? };
    if ret_future.is_null() {
        return Err(Error::Invalid("ret_future is NULL"));
    }
    unsafe { give(operation(event_loop)?, ret_future) }
}

/// A buffer may be NULL if nothing is to be put there.
fn require(buffer: *const c_void, length: usize) -> Result<()> {
    if buffer.is_null() && length != 0 {
        return Err(Error::Invalid("the buffer is NULL"));
    }
    Ok(())
}

/// Receives at most `length` bytes. The future's result is a loop_received_t,
/// with 0 bytes at the end of the stream.
///
/// What holds for every loop_sock_ function: `fd` is a non-blocking socket of
/// the caller's, which must stay open until the future is done. The operation
/// is tried at once; if the socket is not ready, again whenever it is. 0 with a
/// reference in *ret_future, which may be done already. Whatever the system
/// answers (-ECONNRESET, -ECONNREFUSED, -EPIPE, -EBADF, -EMFILE, ...) is the
/// future's failure, never a signal. Cancelling the future unregisters the
/// descriptor before loop_future_cancel returns: then it may be closed, and its
/// number used for something else. Giving the reference back cancels nothing.
///
/// One operation at a time may wait for each direction of a descriptor:
/// receiving and accepting are one, sending, connecting and sendfile the other.
/// While one waits, or a reader or writer of loop_add_reader or loop_add_writer
/// stands, another is refused with -EBUSY. Replacing or removing the reader or
/// writer of a waiting operation makes it fail with -ECANCELED, and so does a
/// new operation on a number that was closed without cancelling.
///
/// Operations that wait when the loop is closed stay pending for ever; what
/// they use is let go of. In a forked child they belong to the parent.
///
/// LOOP_EINVAL (NULL, negative fd; in debug mode a socket that blocks: "the
/// socket must be non-blocking"), -EBUSY, LOOP_ECLOSED, LOOP_EFORKED,
/// LOOP_EWRONG_THREAD, -ENOMEM; then nothing was done. [loop thread]
/// asyncio: loop.sock_recv().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_sock_recv(
    r#loop: *mut loop_t,
    fd: c_int,
    length: usize,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| unsafe {
        start(r#loop, ret_future, |event_loop| sockets::receive(event_loop, fd, length))
    })
}

/// Receives into the caller's buffer, which must live until the future is done
/// or the loop is closed. The result is the number of bytes. See loop_sock_recv.
/// asyncio: loop.sock_recv_into().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_sock_recv_into(
    r#loop: *mut loop_t,
    fd: c_int,
    buffer: *mut c_void,
    length: usize,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| unsafe {
        require(buffer, length)?;
        start(r#loop, ret_future, |event_loop| {
            sockets::receive_into(event_loop, fd, buffer, length)
        })
    })
}

/// Receives a datagram of at most `length` bytes; what is longer is cut off. The
/// result is a loop_received_t with the sender's address. See loop_sock_recv.
/// asyncio: loop.sock_recvfrom().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_sock_recvfrom(
    r#loop: *mut loop_t,
    fd: c_int,
    length: usize,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| unsafe {
        start(r#loop, ret_future, |event_loop| sockets::receive_from(event_loop, fd, length))
    })
}

/// The same into the caller's buffer, which must live until the future is done
/// or the loop is closed. The result is a loop_received_t. See loop_sock_recv.
/// asyncio: loop.sock_recvfrom_into().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_sock_recvfrom_into(
    r#loop: *mut loop_t,
    fd: c_int,
    buffer: *mut c_void,
    length: usize,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| unsafe {
        require(buffer, length)?;
        start(r#loop, ret_future, |event_loop| {
            sockets::receive_from_into(event_loop, fd, buffer, length)
        })
    })
}

/// Sends all of `length` bytes, in as many parts as it takes. They are not
/// copied: they must live until `destroy` is called with `user_data`, which
/// happens once, as soon as nothing is read from them any more, perhaps before
/// this returns, and also when the call fails; without `destroy`, until the
/// future is done or the loop is closed. The result is 0. After a failure or a
/// cancellation nobody knows how much was sent. See loop_sock_recv.
/// asyncio: loop.sock_sendall().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_sock_sendall(
    r#loop: *mut loop_t,
    fd: c_int,
    data: *const c_void,
    length: usize,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| unsafe {
        let data_of_host = Data::new(data, length, UserData::new(user_data, destroy));
        require(data, length)?;
        start(r#loop, ret_future, |event_loop| sockets::send_all(event_loop, fd, data_of_host))
    })
}

/// Sends one datagram to `address`, a struct sockaddr, which is copied. For the
/// data holds what loop_sock_sendall says. The result is the number of bytes.
/// LOOP_EINVAL also for an impossible address_length. See loop_sock_recv.
/// asyncio: loop.sock_sendto().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_sock_sendto(
    r#loop: *mut loop_t,
    fd: c_int,
    data: *const c_void,
    length: usize,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    address: *const c_void,
    address_length: usize,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| unsafe {
        let data_of_host = Data::new(data, length, UserData::new(user_data, destroy));
        require(data, length)?;
        let address = Address::copy(address, address_length)?;
        start(r#loop, ret_future, |event_loop| {
            sockets::send_to(event_loop, fd, data_of_host, address)
        })
    })
}

/// Takes the next connection of a listening socket. The result is a
/// loop_accepted_t. When the process has no descriptor left, the future fails
/// with -EMFILE and the connection waits for the next accept. LOOP_EINVAL also
/// for a socket that blocks, in debug mode or not. See loop_sock_recv.
/// asyncio: loop.sock_accept().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_sock_accept(
    r#loop: *mut loop_t,
    fd: c_int,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| unsafe { start(r#loop, ret_future, |event_loop| sockets::accept(event_loop, fd)) })
}

/// The accepted descriptor, now the caller's to close. LOOP_EINVALID_STATE if it
/// was taken before, LOOP_EINVAL (NULL). [loop thread], also after close and
/// after fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_accepted_take(accepted: *mut loop_accepted_t) -> c_int {
    guard(|| {
        // SAFETY: a `loop_accepted_t` is how C sees an `Accepted`.
        let accepted = unsafe { accepted.cast::<Accepted>().as_mut() };
        accepted.ok_or(Error::Invalid("accepted is NULL"))?.take()
    })
}

/// Connects a socket to `address`, a struct sockaddr, which is copied. The
/// result is 0. A local socket whose peer's queue is full fails with -EAGAIN:
/// nothing tells when there is room. LOOP_EINVAL also for a socket that blocks,
/// in debug mode or not, and for an impossible address_length. See
/// loop_sock_recv. asyncio: loop.sock_connect().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_sock_connect(
    r#loop: *mut loop_t,
    fd: c_int,
    address: *const c_void,
    address_length: usize,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| unsafe {
        let address = Address::copy(address, address_length)?;
        start(r#loop, ret_future, |event_loop| sockets::connect(event_loop, fd, address))
    })
}

/// Sends `count` bytes of a file from `offset` on, or, if `count` is -1, all up
/// to its end; by sendfile where the system can, else by reading and sending.
/// The result is the number of bytes sent, less than `count` if the file ends
/// before. `file_fd` must stay open until the future is done; its position is
/// neither used nor moved. A portion is read in each turn, on the loop's
/// thread. LOOP_EINVAL also for negative numbers, for a socket that is no
/// stream, and for one that blocks, in debug mode or not; -ENOTSOCK, -EBADF. See
/// loop_sock_recv. asyncio: loop.sock_sendfile().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_sock_sendfile(
    r#loop: *mut loop_t,
    fd: c_int,
    file_fd: c_int,
    offset: i64,
    count: i64,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| unsafe {
        let count = match count {
            -1 => None,
            count => Some(
                u64::try_from(count).map_err(|_| Error::Invalid("count must not be negative"))?,
            ),
        };
        start(r#loop, ret_future, |event_loop| {
            sockets::send_file(event_loop, fd, file_fd, offset, count)
        })
    })
}

versioned!(
    "loop_sock_recv",
    "loop_sock_recv_into",
    "loop_sock_recvfrom",
    "loop_sock_recvfrom_into",
    "loop_sock_sendall",
    "loop_sock_sendto",
    "loop_sock_accept",
    "loop_accepted_take",
    "loop_sock_connect",
    "loop_sock_sendfile",
);
