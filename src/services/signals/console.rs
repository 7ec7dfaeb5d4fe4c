//! Windows' console events as signals: Ctrl-C is SIGINT and Ctrl-Break SIGBREAK.
//! There are no others.
//!
//! The system calls the process's handlers in a thread of its own, the latest
//! first, until one says that it has handled the event. Ours is there while some
//! loop wants an event, and handles those that some loop wants; so what the
//! process did before comes back when the last loop does not want them any more.

use super::wire::{self, Wire};
use crate::error::{Error, Result};
use crate::fork_lock::ForkLock;
use crate::platform::process::SIGBREAK;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

/// Is our handler there?
static LISTENS: ForkLock<bool> = ForkLock::new(false);

/// The system holds its list of handlers for as long as this takes: it must not
/// wait for anybody who may be changing that list.
unsafe extern "system" fn on_event(event: u32) -> BOOL {
    let signum = match event {
        CTRL_C_EVENT => libc::SIGINT,
        CTRL_BREAK_EVENT => SIGBREAK,
        _ => return 0,
    };
    if !wire::is_wanted(signum) {
        return 0;
    }
    wire::deliver_to_all(signum);
    1
}

/// Is this a signal that can be handled?
pub fn check(signum: i32) -> Result<()> {
    wire::check(signum)?;
    match signum {
        libc::SIGINT | SIGBREAK => Ok(()),
        _ => Err(Error::Unsupported("of all signals Windows has SIGINT and SIGBREAK only")),
    }
}

/// Does nobody in this process handle it? Of the handlers of other C runtimes
/// than ours nothing is known.
pub fn is_default(signum: i32) -> Result<bool> {
    if wire::is_wanted(signum) {
        return Ok(false);
    }
    // The C runtime's own question, SIG_GET, is not known to all of them. An
    // event that comes between these two is lost.
    // SAFETY: what was there is put back.
    let before = unsafe {
        let before = libc::signal(signum, libc::SIG_IGN);
        libc::signal(signum, before);
        before
    };
    Ok(before == libc::SIG_DFL)
}

/// A wire for a loop.
pub fn acquire_wire() -> Result<&'static Wire> {
    LISTENS.with(|_| Wire::acquire())
}

/// Lets this signal come through the wire.
pub fn subscribe(wire: &Wire, signum: i32) -> Result<()> {
    LISTENS.with(|listens| {
        if !*listens {
            // SAFETY: a function that may be called in any thread, and that is
            // never unloaded.
            if unsafe { SetConsoleCtrlHandler(Some(on_event), 1) } == 0 {
                return Err(std::io::Error::last_os_error().into());
            }
            *listens = true;
        }
        wire.open(signum);
        Ok(())
    })
}

/// Lets it come no more. Our handler goes when nobody wants any signal.
pub fn unsubscribe(wire: &Wire, signum: i32) {
    LISTENS.with(|listens| {
        wire.shut(signum);
        if !*listens || wire::is_wanted(libc::SIGINT) || wire::is_wanted(SIGBREAK) {
            return;
        }
        // SAFETY: the handler that `subscribe` set.
        if unsafe { SetConsoleCtrlHandler(Some(on_event), 0) } != 0 {
            *listens = false;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_signals_are_unsupported() {
        assert!(check(libc::SIGINT).is_ok() && check(SIGBREAK).is_ok());
        assert_eq!(check(0), Err(Error::BadSignal(0)));
        assert!(matches!(check(libc::SIGTERM), Err(Error::Unsupported(_))));
    }

    #[test]
    fn a_handler_of_the_c_runtime_is_seen() {
        extern "C" fn own(_: i32) {}
        assert_eq!(is_default(SIGBREAK), Ok(true));
        // SAFETY: a handler that does nothing, and the default again.
        unsafe { libc::signal(SIGBREAK, own as extern "C" fn(i32) as usize) };
        assert_eq!(is_default(SIGBREAK), Ok(false));
        assert_eq!(is_default(SIGBREAK), Ok(false));
        // SAFETY: as above.
        unsafe { libc::signal(SIGBREAK, libc::SIG_DFL) };
        assert_eq!(is_default(SIGBREAK), Ok(true));
    }
}
