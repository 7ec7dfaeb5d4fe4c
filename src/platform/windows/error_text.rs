//! What the numbers of errno.h mean, in English. The C runtime of the oldest
//! programs knows texts for the numbers below 43 only; so all are here, in
//! POSIX's words.

use std::ffi::{CStr, c_char, c_int};

/// Static: valid for ever, NUL-terminated.
pub fn strerror(errno: c_int) -> *const c_char {
    text(errno).unwrap_or(c"Unknown error").as_ptr()
}

/// Writes it into `buffer`, cut off if it is too long.
pub fn strerror_into(errno: c_int, buffer: &mut [c_char]) {
    let number;
    let bytes = match text(errno) {
        Some(text) => text.to_bytes(),
        None => {
            number = format_unknown(errno);
            number.as_slice()
        }
    };
    for (place, byte) in buffer.iter_mut().zip(bytes.iter().chain([&0])) {
        *place = *byte as c_char;
    }
    if let Some(last) = buffer.last_mut() {
        *last = 0;
    }
}

/// "Unknown error " and the number, without taking memory.
fn format_unknown(errno: c_int) -> [u8; 32] {
    use std::io::Write;
    let mut bytes = [0u8; 32];
    // It always fits.
    let _ = write!(&mut bytes[..31], "Unknown error {errno}");
    bytes
}

fn text(errno: c_int) -> Option<&'static CStr> {
    Some(match errno {
        0 => c"Success",
        libc::EPERM => c"Operation not permitted",
        libc::ENOENT => c"No such file or directory",
        libc::ESRCH => c"No such process",
        libc::EINTR => c"Interrupted system call",
        libc::EIO => c"Input/output error",
        libc::ENXIO => c"No such device or address",
        libc::E2BIG => c"Argument list too long",
        libc::ENOEXEC => c"Exec format error",
        libc::EBADF => c"Bad file descriptor",
        libc::ECHILD => c"No child processes",
        libc::EAGAIN | libc::EWOULDBLOCK => c"Resource temporarily unavailable",
        libc::ENOMEM => c"Cannot allocate memory",
        libc::EACCES => c"Permission denied",
        libc::EFAULT => c"Bad address",
        libc::EBUSY => c"Device or resource busy",
        libc::EEXIST => c"File exists",
        libc::EXDEV => c"Invalid cross-device link",
        libc::ENODEV => c"No such device",
        libc::ENOTDIR => c"Not a directory",
        libc::EISDIR => c"Is a directory",
        libc::EINVAL => c"Invalid argument",
        libc::ENFILE => c"Too many open files in system",
        libc::EMFILE => c"Too many open files",
        libc::ENOTTY => c"Inappropriate ioctl for device",
        libc::EFBIG => c"File too large",
        libc::ENOSPC => c"No space left on device",
        libc::ESPIPE => c"Illegal seek",
        libc::EROFS => c"Read-only file system",
        libc::EMLINK => c"Too many links",
        libc::EPIPE => c"Broken pipe",
        libc::EDOM => c"Numerical argument out of domain",
        libc::ERANGE => c"Numerical result out of range",
        libc::EDEADLK => c"Resource deadlock avoided",
        libc::ENAMETOOLONG => c"File name too long",
        libc::ENOLCK => c"No locks available",
        libc::ENOSYS => c"Function not implemented",
        libc::ENOTEMPTY => c"Directory not empty",
        libc::EILSEQ => c"Invalid or incomplete multibyte or wide character",
        libc::EADDRINUSE => c"Address already in use",
        libc::EADDRNOTAVAIL => c"Cannot assign requested address",
        libc::EAFNOSUPPORT => c"Address family not supported by protocol",
        libc::EALREADY => c"Operation already in progress",
        libc::EBADMSG => c"Bad message",
        libc::ECANCELED => c"Operation canceled",
        libc::ECONNABORTED => c"Software caused connection abort",
        libc::ECONNREFUSED => c"Connection refused",
        libc::ECONNRESET => c"Connection reset by peer",
        libc::EDESTADDRREQ => c"Destination address required",
        libc::EHOSTUNREACH => c"No route to host",
        libc::EIDRM => c"Identifier removed",
        libc::EINPROGRESS => c"Operation now in progress",
        libc::EISCONN => c"Transport endpoint is already connected",
        libc::ELOOP => c"Too many levels of symbolic links",
        libc::EMSGSIZE => c"Message too long",
        libc::ENETDOWN => c"Network is down",
        libc::ENETRESET => c"Network dropped connection on reset",
        libc::ENETUNREACH => c"Network is unreachable",
        libc::ENOBUFS => c"No buffer space available",
        libc::ENODATA => c"No data available",
        libc::ENOLINK => c"Link has been severed",
        libc::ENOMSG => c"No message of desired type",
        libc::ENOPROTOOPT => c"Protocol not available",
        libc::ENOSR => c"Out of streams resources",
        libc::ENOSTR => c"Device not a stream",
        libc::ENOTCONN => c"Transport endpoint is not connected",
        libc::ENOTRECOVERABLE => c"State not recoverable",
        libc::ENOTSOCK => c"Socket operation on non-socket",
        libc::ENOTSUP | libc::EOPNOTSUPP => c"Operation not supported",
        libc::EOVERFLOW => c"Value too large for defined data type",
        libc::EOWNERDEAD => c"Owner died",
        libc::EPROTO => c"Protocol error",
        libc::EPROTONOSUPPORT => c"Protocol not supported",
        libc::EPROTOTYPE => c"Protocol wrong type for socket",
        libc::ETIME => c"Timer expired",
        libc::ETIMEDOUT => c"Connection timed out",
        libc::ETXTBSY => c"Text file busy",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn into(errno: c_int, room: usize) -> String {
        let mut buffer = vec![0x7f; room];
        strerror_into(errno, &mut buffer);
        // SAFETY: it ends with NUL.
        unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn every_number_has_a_text_that_fits() {
        assert_eq!(into(libc::ECONNREFUSED, 64), "Connection refused");
        assert_eq!(into(libc::ECONNREFUSED, 8), "Connect");
        assert_eq!(into(i32::MIN, 64), "Unknown error -2147483648");
    }
}
