//! How a child ended, asked of the system without waiting.

use super::pidfd::{ProcessFd, wait_id};
use super::status::{Status, UNKNOWN};

/// Linux: also children that do not send SIGCHLD.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ALL_KINDS: libc::c_int = libc::__WALL;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ALL_KINDS: libc::c_int = 0;

/// Asks, and takes the status if there is one.
pub fn reap(pid: i32, pidfd: Option<&ProcessFd>) -> Status {
    let by_pidfd = pidfd.and_then(wait_id).map(|(kind, id)| wait(kind, id, libc::WNOHANG));
    match by_pidfd {
        // Linux 5.3 has pidfds and cannot wait for them.
        None | Some(Err(libc::EINVAL)) => {
            answer(wait(libc::P_PID, pid as libc::id_t, libc::WNOHANG))
        }
        Some(result) => answer(result),
    }
}

/// Blocks until the child has ended, and leaves its status to `reap`. At once if
/// it is no child of this process.
pub fn wait_until_ended(pid: i32) {
    let _ = wait(libc::P_PID, pid as libc::id_t, libc::WNOWAIT);
}

/// Waits for the end of a child that nobody watches, and takes its status.
pub fn take_status(pid: i32, pidfd: Option<&ProcessFd>) {
    wait_until_ended(pid);
    reap(pid, pidfd);
}

/// Is this our child, and its status not taken yet? Waits until it has ended.
#[cfg(backend = "kqueue")]
pub fn ends_now(pid: i32) -> bool {
    matches!(wait(libc::P_PID, pid as libc::id_t, libc::WNOWAIT), Ok(Some(_)))
}

fn answer(result: Result<Option<i32>, i32>) -> Status {
    match result {
        Ok(None) => Status::Running,
        Ok(Some(code)) => Status::Ended(code),
        // Not a child of ours, or not any more.
        Err(_) => Status::Ended(UNKNOWN),
    }
}

/// waitid: the return code, none if it lives, or an errno.
fn wait(kind: libc::idtype_t, id: libc::id_t, flags: libc::c_int) -> Result<Option<i32>, i32> {
    loop {
        // SAFETY: plain data, filled in by the call.
        let (result, info) = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            (libc::waitid(kind, id, &mut info, libc::WEXITED | ALL_KINDS | flags), info)
        };
        if result == 0 {
            // SAFETY: waitid fills in these fields, or leaves zeroes.
            let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
            return Ok(match (pid, info.si_code) {
                (0, _) => None,
                // Some systems hand on all 32 bits, and exit(-1) is no signal.
                (_, libc::CLD_EXITED) => Some(status & 0xff),
                _ => Some(status.wrapping_neg()),
            });
        }
        match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::EINTR) => {}
            errno => return Err(errno.unwrap_or(libc::ECHILD)),
        }
    }
}
