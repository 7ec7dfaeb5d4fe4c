//! The errors of Windows' kernel as the C runtime's errno numbers.

use std::ffi::c_int;
use windows_sys::Win32::Foundation::*;

/// What errno.h calls it; EIO if it has no name for it.
pub fn errno_of_system(error: u32) -> c_int {
    match error {
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND | ERROR_INVALID_DRIVE | ERROR_BAD_NETPATH
        | ERROR_BAD_NET_NAME | ERROR_BAD_PATHNAME | ERROR_INVALID_NAME | ERROR_MOD_NOT_FOUND
        | ERROR_NO_MORE_FILES | ERROR_NOT_FOUND => libc::ENOENT,
        ERROR_TOO_MANY_OPEN_FILES => libc::EMFILE,
        ERROR_ACCESS_DENIED
        | ERROR_SHARING_VIOLATION
        | ERROR_LOCK_VIOLATION
        | ERROR_NETWORK_ACCESS_DENIED
        | ERROR_CANNOT_MAKE
        | ERROR_CURRENT_DIRECTORY => libc::EACCES,
        ERROR_PRIVILEGE_NOT_HELD | ERROR_ELEVATION_REQUIRED => libc::EPERM,
        ERROR_INVALID_HANDLE | ERROR_INVALID_TARGET_HANDLE => libc::EBADF,
        ERROR_NOT_ENOUGH_MEMORY
        | ERROR_OUTOFMEMORY
        | ERROR_COMMITMENT_LIMIT
        | ERROR_NO_SYSTEM_RESOURCES
        | ERROR_WORKING_SET_QUOTA
        | ERROR_NOT_ENOUGH_QUOTA => libc::ENOMEM,
        ERROR_BAD_ENVIRONMENT => libc::E2BIG,
        ERROR_BAD_FORMAT
        | ERROR_BAD_EXE_FORMAT
        | ERROR_INVALID_EXE_SIGNATURE
        | ERROR_EXE_MARKED_INVALID
        | ERROR_EXE_MACHINE_TYPE_MISMATCH => libc::ENOEXEC,
        ERROR_NOT_SAME_DEVICE => libc::EXDEV,
        ERROR_WRITE_PROTECT => libc::EROFS,
        ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED => libc::EPIPE,
        ERROR_DISK_FULL | ERROR_HANDLE_DISK_FULL => libc::ENOSPC,
        ERROR_FILE_EXISTS | ERROR_ALREADY_EXISTS => libc::EEXIST,
        ERROR_DIRECTORY => libc::ENOTDIR,
        ERROR_DIR_NOT_EMPTY => libc::ENOTEMPTY,
        ERROR_FILENAME_EXCED_RANGE | ERROR_BUFFER_OVERFLOW => libc::ENAMETOOLONG,
        ERROR_INVALID_PARAMETER
        | ERROR_INVALID_FUNCTION
        | ERROR_INVALID_DATA
        | ERROR_INVALID_FLAGS
        | ERROR_NEGATIVE_SEEK => libc::EINVAL,
        ERROR_NOT_SUPPORTED => libc::ENOTSUP,
        ERROR_CALL_NOT_IMPLEMENTED | ERROR_PROC_NOT_FOUND => libc::ENOSYS,
        ERROR_BUSY | ERROR_PIPE_BUSY => libc::EBUSY,
        ERROR_NO_PROC_SLOTS | ERROR_MAX_THRDS_REACHED => libc::EAGAIN,
        ERROR_WAIT_NO_CHILDREN | ERROR_CHILD_NOT_COMPLETE => libc::ECHILD,
        ERROR_POSSIBLE_DEADLOCK => libc::EDEADLK,
        ERROR_SEM_TIMEOUT | WAIT_TIMEOUT | ERROR_TIMEOUT => libc::ETIMEDOUT,
        ERROR_OPERATION_ABORTED | ERROR_CANCELLED => libc::ECANCELED,
        ERROR_NETNAME_DELETED => libc::ECONNRESET,
        ERROR_CONNECTION_ABORTED => libc::ECONNABORTED,
        ERROR_CONNECTION_REFUSED => libc::ECONNREFUSED,
        ERROR_NETWORK_UNREACHABLE => libc::ENETUNREACH,
        ERROR_HOST_UNREACHABLE | ERROR_PORT_UNREACHABLE => libc::EHOSTUNREACH,
        ERROR_IO_PENDING => libc::EINPROGRESS,
        _ => libc::EIO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_windows_become_those_of_errno_h() {
        assert_eq!(errno_of_system(ERROR_FILE_NOT_FOUND), libc::ENOENT);
        assert_eq!(errno_of_system(ERROR_BAD_EXE_FORMAT), libc::ENOEXEC);
        assert_eq!(errno_of_system(u32::MAX), libc::EIO);
        // Through the one door that others use.
        assert_eq!(crate::platform::errno_of(ERROR_DIRECTORY as i32), libc::ENOTDIR);
    }
}
