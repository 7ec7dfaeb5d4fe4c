//! The reactor on Windows: one poll of the sockets' driver for each socket that
//! is watched, begun again after each event, so that readiness is level-triggered.
//!
//! polling has the same backend, but there a socket that the host closes while it
//! is watched leaves a wait waiting for its own lock. Here its poll ends, and it
//! is forgotten, as epoll does.
//!
//! A poll cannot be changed, only cancelled and begun again; so changes are kept
//! until the next wait, and one that asks for less changes nothing. Between an
//! event and the next wait nothing is under way that a close could end: a socket
//! that is closed then hands its watch on to the next one of its number.

use super::doors::Doors;
use crate::error::{Error, Result};
use crate::fd_table::Interest;
use crate::memory::try_box;
use crate::platform::afd::{BaseSocket, Completion, End, Port, Request, event, request_of};
use crate::platform::fd::RawFd;
use crate::platform::is_open;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

/// As many ends a wait takes at once.
const ROOM: usize = 64;
/// What every poll asks for.
const ALWAYS: u32 = event::ABORT | event::CONNECT_FAIL | event::LOCAL_CLOSE;
const READ: u32 = event::RECEIVE | event::DISCONNECT | event::ACCEPT;
const WRITE: u32 = event::SEND;
const BOTH: u32 = event::ABORT | event::CONNECT_FAIL;

/// A completion port at which polls end, and the loop's wake-ups come.
pub struct Reactor {
    port: Port,
    /// It was woken, and no wait has told so yet.
    woken: bool,
    doors: Doors,
    /// By number.
    watched: Vec<Option<Watch>>,
    /// Whose poll is to be begun or cancelled before the next wait.
    due: Vec<Watch>,
    /// Whose events nobody has seen yet.
    arrived: Vec<RawFd>,
    /// How many there are, those included that only the kernel still knows.
    count: usize,
    /// How many polls are under way.
    under_way: usize,
}

/// One of our own, shared with the kernel while its poll is under way.
type Watch = NonNull<Watched>;

/// A socket that is watched.
#[repr(C)]
struct Watched {
    /// First, so that its end leads back to the whole.
    request: Request,
    socket: BaseSocket,
    fd: RawFd,
    door: u32,
    key: usize,
    interest: Interest,
    poll: Poll,
    /// It is in the list of those that are due.
    is_due: bool,
    /// Nobody watches it any more. It is freed when it is neither due nor the
    /// kernel's.
    forgotten: bool,
    /// What has arrived.
    ready: Interest,
    /// It was changed since its poll was begun.
    renewed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Poll {
    None,
    /// For these events.
    Begun(u32),
    Cancelled,
}

// SAFETY: what the pointers lead to belongs to the reactor and to the kernel, which
// knows no threads here.
unsafe impl Send for Reactor {}

fn mask(interest: Interest) -> u32 {
    let read = if interest.readable { READ } else { 0 };
    let write = if interest.writable { WRITE } else { 0 };
    ALWAYS | read | write
}

impl Reactor {
    /// Can it tell of a descriptor that is not watched any more?
    pub const HAS_STRAYS: bool = false;

    /// At a port that is the loop's own, and no other reactor's.
    pub fn new([port, _]: [RawFd; 2]) -> Result<Self> {
        Ok(Reactor {
            // SAFETY: the loop drops the reactor before it closes its port.
            port: unsafe { Port::borrow(port) },
            woken: false,
            doors: Doors::new(),
            watched: Vec::new(),
            due: Vec::new(),
            arrived: Vec::new(),
            count: 0,
            under_way: 0,
        })
    }

    /// A completion port is no socket.
    pub fn backend_fd(&self) -> Result<RawFd> {
        Err(Error::Unsupported("a completion port is no socket that another loop could wait on"))
    }

    /// Is it one of the loop's descriptors? A loop has no sockets.
    pub fn owns(&self, _fd: RawFd) -> bool {
        false
    }

    /// Starts watching a socket.
    pub fn add(&mut self, fd: RawFd, key: usize, interest: Interest) -> Result<()> {
        let socket = BaseSocket::of(fd).map_err(Error::Sys)?;
        let index = usize::try_from(fd).map_err(|_| Error::BadDescriptor(fd))?;
        if index >= self.watched.len() {
            let more = index + 1 - self.watched.len();
            self.watched.try_reserve(more).map_err(|_| Error::NO_MEMORY)?;
            self.watched.resize(index + 1, None);
        }
        // One that the host closed, and whose end did not come yet.
        self.delete(fd);
        // Room for everybody, and for a round in which all fail, so that these
        // lists need not grow later.
        let all = 2 * (self.count + 1);
        reserve(&mut self.due, all)?;
        reserve(&mut self.arrived, all)?;
        let mut watch = try_box(Watched {
            request: Request::new(),
            socket,
            fd,
            door: 0,
            key,
            interest,
            poll: Poll::None,
            is_due: false,
            forgotten: false,
            ready: Interest::default(),
            renewed: false,
        })?;
        watch.door = self.doors.enter(self.port)?;
        let watch = NonNull::from(Box::leak(watch));
        self.count += 1;
        // At once, so that from now on there is something that a close ends.
        // SAFETY: just made, and nobody else refers to it.
        let watched = unsafe { &mut *watch.as_ptr() };
        if let Err(error) = self.begin(watched, mask(interest)) {
            watched.forgotten = true;
            self.free(watch);
            return Err(error);
        }
        self.watched[index] = Some(watch);
        Ok(())
    }

    /// Changes what a socket is watched for. `ENOENT` if it was closed meanwhile,
    /// whatever its number means now.
    pub fn modify(&mut self, fd: RawFd, key: usize, interest: Interest) -> Result<()> {
        // A socket that is closed ends its poll; only the port tells.
        if let Some(watched) = self.find(fd) {
            watched.renewed = false;
            if watched.poll != Poll::None {
                while self.take_ends(0)? == ROOM {}
            }
        }
        let watched = self.find(fd).ok_or(Error::Sys(libc::ENOENT))?;
        let Ok(socket) = BaseSocket::of(fd) else {
            self.delete(fd);
            return Err(Error::Sys(libc::ENOENT));
        };
        // What has arrived may be of the number's last socket. It arrives again.
        watched.ready = Interest::default();
        watched.key = key;
        watched.interest = interest;
        watched.socket = socket;
        watched.renewed = true;
        let wanted = mask(interest);
        match watched.poll {
            // The same, but on what the number means now: a closed socket's poll
            // goes on if anybody else has that socket, too.
            Poll::Begun(events) if wanted == events => self.begin_anew(fd),
            // Less: what is too much is not told.
            Poll::Begun(events) if wanted & !events == 0 => Ok(()),
            _ => {
                self.make_due(NonNull::from(watched));
                Ok(())
            }
        }
    }

    /// Ends a poll that is under way, and begins it again.
    fn begin_anew(&mut self, fd: RawFd) -> Result<()> {
        if let Some(watched) = self.find(fd) {
            self.cancel(watched);
        }
        while self.take_ends(0)? == ROOM {}
        // Another thread may have closed it at this moment.
        let watched = self.find(fd).ok_or(Error::Sys(libc::ENOENT))?;
        match watched.poll {
            Poll::None => self.begin(watched, mask(watched.interest)),
            // It is due when its end comes.
            _ => Ok(()),
        }
    }

    /// Stops watching. A socket that was closed before is no error.
    pub fn delete(&mut self, fd: RawFd) {
        let place = usize::try_from(fd).ok().and_then(|index| self.watched.get_mut(index));
        let Some(watch) = place.and_then(Option::take) else { return };
        // SAFETY: it was in the table, so it is alive, and nobody else refers to it.
        let watched = unsafe { &mut *watch.as_ptr() };
        watched.forgotten = true;
        if !watched.ready.is_none() {
            self.arrived.retain(|arrived| *arrived != fd);
        }
        if let Poll::Begun(_) = watched.poll {
            self.cancel(watched);
        }
        self.free(watch);
    }

    fn watch(&self, fd: RawFd) -> Option<Watch> {
        *self.watched.get(usize::try_from(fd).ok()?)?
    }

    /// Not to be used any more after something else here was called.
    fn find<'a>(&self, fd: RawFd) -> Option<&'a mut Watched> {
        // SAFETY: in the table, so it is alive, and nobody else refers to it.
        self.watch(fd).map(|watch| unsafe { &mut *watch.as_ptr() })
    }

    fn make_due(&mut self, watch: Watch) {
        // SAFETY: the caller's, which is alive. There is room: see `add`.
        let watched = unsafe { &mut *watch.as_ptr() };
        if !std::mem::replace(&mut watched.is_due, true) {
            self.due.push(watch);
        }
    }

    fn cancel(&self, watched: &mut Watched) {
        if let Some(driver) = self.doors.driver(watched.door) {
            // SAFETY: it was begun there, and its end did not come yet.
            unsafe { driver.cancel(&raw mut watched.request) };
        }
        watched.poll = Poll::Cancelled;
    }

    /// Frees what is forgotten, once nobody has it any more.
    fn free(&mut self, watch: Watch) {
        // SAFETY: alive until the end of this.
        let watched = unsafe { &*watch.as_ptr() };
        if !watched.forgotten || watched.is_due || watched.poll != Poll::None {
            return;
        }
        self.doors.leave(watched.door);
        self.count -= 1;
        // SAFETY: made by a box, and nobody refers to it.
        drop(unsafe { Box::from_raw(watch.as_ptr()) });
    }

    /// Begins and cancels polls as wanted by now. The first error.
    fn catch_up(&mut self) -> Result<()> {
        let mut result = Ok(());
        // What fails is due again, but not in this round.
        let round = self.due.len();
        for index in 0..round {
            let watch = self.due[index];
            // SAFETY: it was due, so it is alive, and nobody else refers to it.
            let watched = unsafe { &mut *watch.as_ptr() };
            watched.is_due = false;
            if watched.forgotten {
                self.free(watch);
                continue;
            }
            let wanted = mask(watched.interest);
            match watched.poll {
                Poll::Begun(events) if wanted & !events != 0 => self.cancel(watched),
                Poll::None => {
                    match self.begin(watched, wanted) {
                        Ok(()) => {}
                        // Closed, and no socket by now.
                        Err(Error::Sys(libc::EBADF | libc::ENOTSOCK)) => self.delete(watched.fd),
                        Err(_) if BaseSocket::of(watched.fd).is_err() => self.delete(watched.fd),
                        Err(error) => {
                            self.make_due(watch);
                            result = Err(error);
                        }
                    }
                }
                // It goes on when the end came.
                _ => {}
            }
        }
        self.due.drain(..round);
        result
    }

    fn begin(&mut self, watched: &mut Watched, events: u32) -> Result<()> {
        let driver = self.doors.driver(watched.door).ok_or(Error::Internal)?;
        // SAFETY: none is under way, and it is not freed before its end came.
        unsafe { driver.poll(&raw mut watched.request, watched.socket, events) }
            .map_err(Error::Sys)?;
        watched.poll = Poll::Begun(events);
        watched.renewed = false;
        self.under_way += 1;
        Ok(())
    }

    /// Takes what came through the port: how much. Waits for the first of it.
    fn take_ends(&mut self, timeout_ms: i64) -> Result<usize> {
        let mut room: [Completion; ROOM] = [const { MaybeUninit::uninit() }; ROOM];
        let count = self.port.wait(&mut room, timeout_ms).map_err(Error::Sys)?;
        for completion in &room[..count] {
            // SAFETY: the port has filled them; requests are the first fields.
            match unsafe { NonNull::new(request_of(completion).cast::<Watched>()) } {
                Some(watch) => self.take_end(watch),
                None => self.woken = true,
            }
        }
        Ok(count)
    }

    fn take_end(&mut self, watch: Watch) {
        self.under_way -= 1;
        // SAFETY: its poll was under way, so it is alive; nobody else refers to it.
        let watched = unsafe { &mut *watch.as_ptr() };
        watched.poll = Poll::None;
        if watched.forgotten {
            return self.free(watch);
        }
        let events = match watched.request.end() {
            End::Cancelled => 0,
            // The next call on the socket tells why.
            End::Failed if BaseSocket::of(watched.fd).is_ok() => BOTH,
            End::Failed => event::LOCAL_CLOSE,
            End::Events(events) => events,
        };
        if events & event::LOCAL_CLOSE != 0 {
            // The news may be older than the last change, which was for the socket
            // that has the number since.
            return match watched.renewed {
                true => self.make_due(watch),
                false => self.delete(watched.fd),
            };
        }
        let ready = Interest {
            readable: events & (READ | BOTH) != 0 && watched.interest.readable,
            writable: events & (WRITE | BOTH) != 0 && watched.interest.writable,
        };
        if !ready.is_none() {
            watched.ready = ready;
            // There is room: one more comes only after it was polled again.
            self.arrived.push(watched.fd);
        }
        self.make_due(watch);
    }

    /// Waits at most `timeout_ns` (negative: without limit), then calls
    /// `ready(key, interest)` for each socket that is ready. An error or a reset
    /// counts as both directions. Returns early, with no event, when woken.
    pub fn wait(
        &mut self,
        timeout_ns: i64,
        _until: Option<u64>,
        mut ready: impl FnMut(usize, Interest),
    ) -> Result<()> {
        let limit = u64::try_from(timeout_ns).ok().map(Duration::from_nanos);
        let begun = limit.filter(|limit| !limit.is_zero()).map(|_| Instant::now());
        let mut timeout_ms = match timeout_ns {
            ..0 => -1,
            // Rounded up: a wait that ends early would only have to be repeated.
            _ => (timeout_ns as u64).div_ceil(1_000_000) as i64,
        };
        loop {
            self.catch_up()?;
            if self.has_news() {
                timeout_ms = 0;
            }
            let count = self.take_ends(timeout_ms)?;
            if count == 0 || self.has_news() {
                break;
            }
            // Only polls that had to be begun anew.
            if let (Some(limit), Some(begun)) = (limit, begun) {
                let left = limit.saturating_sub(begun.elapsed());
                timeout_ms = left.as_nanos().div_ceil(1_000_000) as i64;
            }
        }
        self.woken = false;
        let mut arrived = std::mem::take(&mut self.arrived);
        for fd in arrived.drain(..) {
            let Some(watched) = self.find(fd) else { continue };
            // The interest may have become less since it arrived.
            let interest = std::mem::take(&mut watched.ready);
            if interest.is_none() {
                continue;
            }
            let key = watched.key;
            // It may have been closed since, and says nothing then. This question
            // does not go to the kernel.
            match is_open(fd) {
                true => ready(key, interest),
                false => self.delete(fd),
            }
        }
        self.arrived = arrived;
        Ok(())
    }

    fn has_news(&self) -> bool {
        self.woken || !self.arrived.is_empty()
    }

    /// Never: a wait's own timeout must do.
    pub fn set_deadline(&mut self, _until: u64) -> bool {
        false
    }

    /// Nobody is forked here.
    pub fn abandon(self, _harmless_fd: RawFd, _is_whole: bool) {}
}

/// Makes sure that a list has room for so many in all.
fn reserve<T>(list: &mut Vec<T>, all: usize) -> Result<()> {
    let more = all.saturating_sub(list.len());
    list.try_reserve(more).map_err(|_| Error::NO_MEMORY)
}

impl Drop for Reactor {
    fn drop(&mut self) {
        for fd in 0..self.watched.len() {
            self.delete(fd as RawFd);
        }
        let _ = self.catch_up();
        // The kernel gives back at once what is cancelled. If not, it keeps it.
        while self.under_way > 0 {
            match self.take_ends(1000) {
                Ok(1..) => {}
                _ => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wakeup::Wakeup;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::windows::io::AsRawSocket;

    const READ: Interest = Interest { readable: true, writable: false };
    const WRITE: Interest = Interest { readable: false, writable: true };
    const BOTH: Interest = Interest { readable: true, writable: true };

    /// In the order in which they are to be dropped: a test's last variable first.
    fn reactor() -> (Wakeup, Reactor) {
        let wakeup = Wakeup::new();
        let reactor = Reactor::new(wakeup.ends().unwrap()).unwrap();
        (wakeup, reactor)
    }

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (one, listener.accept().unwrap().0)
    }

    fn number(stream: &TcpStream) -> RawFd {
        stream.as_raw_socket() as RawFd
    }

    fn events(reactor: &mut Reactor, timeout_ms: i64) -> Vec<(usize, Interest)> {
        let mut seen = Vec::new();
        reactor.wait(timeout_ms * 1_000_000, None, |key, event| seen.push((key, event))).unwrap();
        seen
    }

    /// A number that means nothing any more, and the other end of its connection.
    fn closed_while_watched(reactor: &mut Reactor) -> (RawFd, TcpStream) {
        let (one, other) = pair();
        let fd = number(&one);
        reactor.add(fd, 7, READ).unwrap();
        assert_eq!(events(reactor, 0), []);
        drop(one);
        (fd, other)
    }

    #[test]
    fn what_is_ready_is_told_again_until_it_is_not() {
        let (_wakeup, mut reactor) = reactor();
        let (mut one, mut other) = pair();
        reactor.add(number(&one), 7, READ).unwrap();
        assert_eq!(events(&mut reactor, 0), []);
        other.write_all(b"x").unwrap();
        assert_eq!(events(&mut reactor, 1000), [(7, READ)]);
        assert_eq!(events(&mut reactor, 1000), [(7, READ)]);
        one.read_exact(&mut [0]).unwrap();
        assert_eq!(events(&mut reactor, 20), []);
        // While a poll is under way, it is changed to more, and to less.
        reactor.modify(number(&one), 8, BOTH).unwrap();
        assert_eq!(events(&mut reactor, 1000), [(8, WRITE)]);
        reactor.modify(number(&one), 9, READ).unwrap();
        assert_eq!(events(&mut reactor, 20), []);
        drop(other);
        assert_eq!(events(&mut reactor, 1000), [(9, READ)]);
        reactor.delete(number(&one));
        assert_eq!(events(&mut reactor, 20), []);
    }

    #[test]
    fn a_socket_that_is_closed_ends_its_watch() {
        let (_wakeup, mut reactor) = reactor();
        let (fd, _other) = closed_while_watched(&mut reactor);
        assert_eq!(reactor.modify(fd, 8, READ), Err(Error::Sys(libc::ENOENT)));
        assert_eq!(events(&mut reactor, 20), []);
        assert_eq!(reactor.count, 0);
    }

    #[test]
    fn a_number_that_is_used_again_is_another_socket() {
        let (_wakeup, mut reactor) = reactor();
        let (fd, _other) = closed_while_watched(&mut reactor);
        // Windows gives numbers anew soon, but not always at once.
        let mut kept = Vec::new();
        while kept.iter().all(|(one, other)| number(one) != fd && number(other) != fd) {
            assert!(kept.len() < 1000);
            kept.push(pair());
        }
        reactor.add(fd, 8, WRITE).unwrap();
        assert_eq!(events(&mut reactor, 1000), [(8, WRITE)]);
        assert_eq!(reactor.count, 1);
    }

    #[test]
    fn many_sockets_have_many_doors_and_leave_none() {
        let (_wakeup, mut reactor) = reactor();
        let pairs: Vec<_> = (0..100).map(|_| pair()).collect();
        for (index, (one, _)) in pairs.iter().enumerate() {
            reactor.add(number(one), index, WRITE).unwrap();
        }
        let mut seen = Vec::new();
        while seen.len() < 100 {
            seen.extend(events(&mut reactor, 1000).into_iter().map(|(key, _)| key));
            seen.sort_unstable();
            seen.dedup();
        }
        for (one, _) in &pairs {
            reactor.delete(number(one));
        }
        assert_eq!(events(&mut reactor, 20), []);
        assert_eq!(reactor.count, 0);
        assert!(reactor.doors.are_shut());
    }

    #[test]
    fn a_wake_up_ends_one_wait_even_if_something_else_took_it() {
        let (wakeup, mut reactor) = reactor();
        let (one, _other) = pair();
        let long = 10_000;
        wakeup.write();
        let begun = Instant::now();
        assert_eq!(events(&mut reactor, long), []);
        reactor.add(number(&one), 7, READ).unwrap();
        wakeup.write();
        // It asks the port for the socket's end.
        reactor.modify(number(&one), 8, READ).unwrap();
        assert_eq!(events(&mut reactor, long), []);
        assert!(begun.elapsed() < Duration::from_millis(long as u64));
        let begun = Instant::now();
        assert_eq!(events(&mut reactor, 50), []);
        assert!(begun.elapsed() >= Duration::from_millis(40));
    }
}
