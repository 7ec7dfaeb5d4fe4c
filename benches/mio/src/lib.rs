//! The mio side of the benchmark: a small loop on `mio::Poll`, exported to C.
//!
//! mio is a poller, so what surrounds it is ours: the ready queue is a `Vec` swapped per
//! turn, timers are a `BTreeMap`, posts are one mutex with swapped vectors and a `Waker`.
//! The loop is used through a raw pointer only, because callbacks come back into it; no
//! reference into it is held across a callback.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::os::fd::RawFd;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

type Callback = extern "C" fn(*mut c_void);

#[derive(Clone, Copy)]
struct Call {
    function: Callback,
    argument: *mut c_void,
}

// SAFETY: the benchmark's callbacks may run on any thread; the box only carries them over.
unsafe impl Send for Call {}

#[derive(Clone, Copy, Default)]
struct Watch {
    reader: Option<Call>,
    writer: Option<Call>,
}

#[repr(C)]
pub struct TimerKey {
    when: u64,
    sequence: u64,
}

pub struct Loop {
    poll: Poll,
    events: Events,
    ready: Vec<Call>,
    running: Vec<Call>,
    timers: BTreeMap<(u64, u64), Call>,
    sequence: u64,
    watches: Vec<Watch>,
    posted: Mutex<Vec<Call>>,
    taken: Vec<Call>,
    waker: Waker,
    epoch: Instant,
    now: u64,
    stop: bool,
}

const WAKE: Token = Token(0);

impl Call {
    fn run(self) {
        (self.function)(self.argument)
    }
}

impl Loop {
    fn refresh(&mut self) {
        self.now = self.epoch.elapsed().as_nanos() as u64;
    }

    fn timeout(&mut self) -> Option<Duration> {
        if !self.ready.is_empty() || self.stop {
            return Some(Duration::ZERO);
        }
        let when = self.timers.first_key_value()?.0 .0;
        self.refresh();
        Some(Duration::from_nanos(when.saturating_sub(self.now)))
    }

    fn interest(&self, token: usize) -> Option<Interest> {
        let watch = &self.watches[token];
        match (watch.reader.is_some(), watch.writer.is_some()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }
}

unsafe fn drain_posts(this: *mut Loop) {
    let mut taken = std::mem::take(&mut (*this).taken);
    std::mem::swap(&mut *(*this).posted.lock().unwrap(), &mut taken);
    for call in taken.drain(..) {
        call.run();
    }
    (*this).taken = taken;
}

unsafe fn dispatch_events(this: *mut Loop) {
    // Taken out for the pass: callbacks need the loop, and none touches the events.
    let events = std::mem::replace(&mut (*this).events, Events::with_capacity(0));
    for event in events.iter() {
        if event.token() == WAKE {
            drain_posts(this);
            continue;
        }
        let index = event.token().0;
        if event.is_readable() {
            if let Some(call) = (&(*this).watches)[index].reader {
                call.run();
            }
        }
        if event.is_writable() {
            if let Some(call) = (&(*this).watches)[index].writer {
                call.run();
            }
        }
    }
    (*this).events = events;
}

unsafe fn fire_timers(this: *mut Loop) {
    let now = (*this).now;
    while let Some(entry) = (*this).timers.first_entry() {
        if entry.key().0 > now {
            break;
        }
        let call = entry.remove();
        call.run();
    }
}

#[no_mangle]
pub extern "C" fn mio_loop_new() -> *mut Loop {
    let poll = Poll::new().expect("Poll::new");
    let waker = Waker::new(poll.registry(), WAKE).expect("Waker::new");
    Box::into_raw(Box::new(Loop {
        poll,
        events: Events::with_capacity(1024),
        ready: Vec::new(),
        running: Vec::new(),
        timers: BTreeMap::new(),
        sequence: 0,
        watches: vec![Watch::default()], // index 0 is the waker's
        posted: Mutex::new(Vec::new()),
        taken: Vec::new(),
        waker,
        epoch: Instant::now(),
        now: 0,
        stop: false,
    }))
}

#[no_mangle]
pub unsafe extern "C" fn mio_loop_free(this: *mut Loop) {
    drop(Box::from_raw(this));
}

#[no_mangle]
pub unsafe extern "C" fn mio_run(this: *mut Loop) {
    while !(*this).stop {
        let timeout = (*this).timeout();
        {
            let me = &mut *this;
            match me.poll.poll(&mut me.events, timeout) {
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                    panic!("poll: {error}")
                }
                _ => {}
            }
        }
        dispatch_events(this);
        if !(*this).timers.is_empty() {
            (*this).refresh();
            fire_timers(this);
        }
        let mut running = std::mem::take(&mut (*this).running);
        std::mem::swap(&mut (*this).ready, &mut running);
        for call in running.drain(..) {
            call.run();
        }
        (*this).running = running;
    }
    (*this).stop = false;
}

#[no_mangle]
pub unsafe extern "C" fn mio_stop(this: *mut Loop) {
    (*this).stop = true;
}

#[no_mangle]
pub unsafe extern "C" fn mio_refresh(this: *mut Loop) {
    (*this).refresh();
}

#[no_mangle]
pub unsafe extern "C" fn mio_soon(this: *mut Loop, function: Callback, argument: *mut c_void) {
    (*this).ready.push(Call { function, argument });
}

#[no_mangle]
pub unsafe extern "C" fn mio_post(this: *mut Loop, function: Callback, argument: *mut c_void) {
    let posted = &(*this).posted;
    let was_empty = {
        let mut queue = posted.lock().unwrap();
        let was_empty = queue.is_empty();
        queue.push(Call { function, argument });
        was_empty
    };
    if was_empty {
        let waker = &(*this).waker;
        waker.wake().expect("wake");
    }
}

#[no_mangle]
pub unsafe extern "C" fn mio_timer_start(
    this: *mut Loop,
    key: *mut TimerKey,
    delay_ns: u64,
    function: Callback,
    argument: *mut c_void,
) {
    let me = &mut *this;
    me.sequence += 1;
    let when = me.now + delay_ns;
    *key = TimerKey { when, sequence: me.sequence };
    me.timers.insert((when, me.sequence), Call { function, argument });
}

#[no_mangle]
pub unsafe extern "C" fn mio_timer_stop(this: *mut Loop, key: *mut TimerKey) {
    (*this).timers.remove(&((*key).when, (*key).sequence));
}

#[no_mangle]
pub unsafe extern "C" fn mio_timer_move(this: *mut Loop, key: *mut TimerKey, delay_ns: u64) {
    let call = (*this).timers.remove(&((*key).when, (*key).sequence)).expect("a live timer");
    mio_timer_start(this, key, delay_ns, call.function, call.argument);
}

#[no_mangle]
pub unsafe extern "C" fn mio_watch(
    this: *mut Loop,
    token: *mut usize,
    fd: RawFd,
    writer: i32,
    function: Callback,
    argument: *mut c_void,
) {
    let me = &mut *this;
    let known = *token != 0 && me.interest(*token).is_some();
    if *token == 0 {
        me.watches.push(Watch::default());
        *token = me.watches.len() - 1;
    }
    let call = Some(Call { function, argument });
    match writer {
        0 => me.watches[*token].reader = call,
        _ => me.watches[*token].writer = call,
    }
    let interest = me.interest(*token).expect("just set");
    let registry = me.poll.registry();
    match known {
        true => registry.reregister(&mut SourceFd(&fd), Token(*token), interest),
        false => registry.register(&mut SourceFd(&fd), Token(*token), interest),
    }
    .expect("register");
}

#[no_mangle]
pub unsafe extern "C" fn mio_unwatch(this: *mut Loop, token: *mut usize, fd: RawFd, writer: i32) {
    let me = &mut *this;
    match writer {
        0 => me.watches[*token].reader = None,
        _ => me.watches[*token].writer = None,
    }
    let registry = me.poll.registry();
    match me.interest(*token) {
        Some(interest) => registry.reregister(&mut SourceFd(&fd), Token(*token), interest),
        None => {
            // The token stays with its descriptor while a writer may follow the reader.
            registry.deregister(&mut SourceFd(&fd))
        }
    }
    .expect("deregister");
}
