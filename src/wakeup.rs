//! What ends a wait from outside: any thread and any signal handler may.
//!
//! Who may touch what: `write` may be called by any thread and inside signal
//! handlers. `close` waits until no `write` is under way, so a descriptor is
//! never written to after its number could have been given to somebody else.

use crate::error::Result;
use crate::platform::fd::RawFd;
use crate::platform::{LoopWake, Wake, errno, set_errno};
use crate::sync::{AtomicBool, AtomicI32, AtomicU32, Ordering::SeqCst, fence, yield_now};
use std::marker::PhantomData;

const NONE: RawFd = -1;

/// A wake-up descriptor, created when somebody first needs to sleep.
pub struct Wakeup<W: Wake = LoopWake> {
    write_fd: AtomicI32,
    read_fd: AtomicI32,
    writers: AtomicU32,
    requested: AtomicBool,
    means: PhantomData<fn() -> W>,
}

impl<W: Wake> Wakeup<W> {
    /// No descriptor yet.
    pub fn new() -> Self {
        Wakeup {
            write_fd: AtomicI32::new(NONE),
            read_fd: AtomicI32::new(NONE),
            writers: AtomicU32::new(0),
            requested: AtomicBool::new(false),
            means: PhantomData,
        }
    }

    /// The descriptor to watch; makes it on first use.
    pub fn ensure(&self) -> Result<RawFd> {
        let fd = self.read_fd.load(SeqCst);
        if fd != NONE {
            return Ok(fd);
        }
        let [read_fd, write_fd] = W::open()?;
        self.read_fd.store(read_fd, SeqCst);
        self.write_fd.store(write_fd, SeqCst);
        Ok(read_fd)
    }

    /// The descriptor to watch and the one to write to; makes them on first use.
    pub fn ends(&self) -> Result<[RawFd; 2]> {
        Ok([self.ensure()?, self.write_fd.load(SeqCst)])
    }

    /// Takes the descriptors of another one, having none of its own.
    pub fn adopt(&self, other: Wakeup<W>) {
        self.read_fd.store(other.read_fd.swap(NONE, SeqCst), SeqCst);
        self.write_fd.store(other.write_fd.swap(NONE, SeqCst), SeqCst);
    }

    /// Wakes whoever sleeps; false without memory. Async-signal-safe.
    pub fn write(&self) -> bool {
        self.writers.fetch_add(1, SeqCst);
        // One of both sees the other: this the number gone, or `close` a writer.
        fence(SeqCst);
        let fd = self.write_fd.load(SeqCst);
        let mut is_sent = true;
        if fd != NONE {
            // The caller may be a signal handler.
            let saved = errno();
            // `close` waits for `writers`, so the descriptor is ours.
            is_sent = W::send(fd);
            set_errno(saved);
        }
        self.writers.fetch_sub(1, SeqCst);
        is_sent
    }

    /// Remembers a wish to wake that has no queue entry (a signal handler's),
    /// then wakes, unless somebody does so already: nobody sleeps again before
    /// the wish was taken. Async-signal-safe.
    pub fn request(&self) {
        if !self.requested.swap(true, SeqCst) && !self.write() {
            // The next one tries again.
            self.requested.store(false, SeqCst);
        }
    }

    /// Was a wish remembered since the last call?
    pub fn take_request(&self) -> bool {
        self.requested.load(SeqCst) && self.requested.swap(false, SeqCst)
    }

    /// Takes back what was written.
    pub fn drain(&self) {
        W::drain(self.read_fd.load(SeqCst));
    }

    /// Closes the descriptors once no thread writes. In a forked child the
    /// parent's writers do not exist, so there is nothing to wait for.
    pub fn close(&self, forked: bool) {
        let write_fd = self.write_fd.swap(NONE, SeqCst);
        let read_fd = self.read_fd.swap(NONE, SeqCst);
        if forked {
            self.writers.store(0, SeqCst);
        }
        fence(SeqCst);
        while self.writers.load(SeqCst) != 0 {
            yield_now();
        }
        for fd in [read_fd, if write_fd == read_fd { NONE } else { write_fd }] {
            if fd != NONE {
                W::close(fd);
            }
        }
    }
}

impl<W: Wake> Drop for Wakeup<W> {
    fn drop(&mut self) {
        self.close(false);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::platform::{FdWake, sys};

    #[test]
    fn a_wish_is_remembered_without_a_descriptor() {
        let wakeup: Wakeup = Wakeup::new();
        assert!(!wakeup.take_request());
        wakeup.request();
        wakeup.request();
        assert!(wakeup.take_request() && !wakeup.take_request());
    }

    #[test]
    fn a_write_makes_the_descriptor_readable_and_close_is_final() {
        let wakeup: Wakeup<FdWake> = Wakeup::new();
        let fd = wakeup.ensure().unwrap();
        assert_eq!(wakeup.ensure(), Ok(fd));
        wakeup.write();
        let mut buffer = [0u8; 8];
        let mut is_readable = || {
            std::thread::yield_now();
            // SAFETY: our own non-blocking descriptor and our own buffer.
            unsafe { sys::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) > 0 }
        };
        // A connection to oneself may take a moment.
        assert!((0..1_000_000).any(|_| is_readable()));
        wakeup.close(false);
        wakeup.write();
        wakeup.close(false);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;
    use std::io;

    loom::lazy_static! {
        static ref READABLE: AtomicBool = AtomicBool::new(false);
        static ref CLOSED: AtomicBool = AtomicBool::new(false);
    }

    /// A descriptor that loom sees.
    struct Seen;

    impl Wake for Seen {
        fn open() -> io::Result<[RawFd; 2]> {
            Ok([0, 0])
        }

        fn send(_: RawFd) -> bool {
            assert!(!CLOSED.load(SeqCst));
            READABLE.store(true, SeqCst);
            true
        }

        fn drain(_: RawFd) {
            READABLE.store(false, SeqCst);
        }

        fn close(_: RawFd) {
            CLOSED.store(true, SeqCst);
        }
    }

    /// All interleavings are too many: those with so many preemptions.
    const PREEMPTIONS: usize = 3;

    fn check(body: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(PREEMPTIONS);
        builder.check(body);
    }

    #[test]
    fn no_wish_is_slept_over() {
        check(|| {
            let shared = Arc::new((Wakeup::<Seen>::new(), AtomicU32::new(0)));
            shared.0.ensure().unwrap();
            let bring = |shared: &Arc<(Wakeup<Seen>, AtomicU32)>| {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.1.fetch_add(1, SeqCst);
                    shared.0.request();
                })
            };
            let threads = [bring(&shared), bring(&shared)];
            let (wakeup, news) = &*shared;
            // As after a wait: then somebody looks.
            wakeup.drain();
            wakeup.take_request();
            let mut seen = news.load(SeqCst);
            // As before the next one, which does not sleep if there is a wish.
            if wakeup.take_request() {
                wakeup.drain();
                seen = news.load(SeqCst);
            }
            for thread in threads {
                thread.join().unwrap();
            }
            assert!(seen == 2 || READABLE.load(SeqCst) || wakeup.take_request());
        });
    }

    #[test]
    fn nothing_is_sent_to_a_closed_descriptor() {
        check(|| {
            let wakeup = Arc::new(Wakeup::<Seen>::new());
            wakeup.ensure().unwrap();
            let writer = wakeup.clone();
            let writer = thread::spawn(move || writer.request());
            wakeup.close(false);
            writer.join().unwrap();
            assert!(CLOSED.load(SeqCst));
        });
    }
}
