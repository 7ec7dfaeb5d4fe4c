//! How outcomes get from other threads to the futures of a loop.
//!
//! Who may touch what: the futures stay in `waiting`, which only the loop's
//! thread uses, so that none of them ends on another thread. Other threads have
//! tickets; what they finish gathers in `arrived`, and the first one since the
//! loop looked posts one callback for all. Nothing foreign runs under a lock. A
//! forked child locks nothing that another thread may have held: it tries.

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, Remote};
use crate::fork_generation;
use crate::services::future::{Future, Outcome};
use slab::Slab;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What another thread knows a future by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    key: usize,
    /// Tells this use of the key from earlier ones.
    serial: u64,
}

/// The futures of one loop that other threads work on.
pub struct Completions {
    event_loop: Remote,
    generation: u64,
    pid: i32,
    waiting: Mutex<Waiting>,
    arrived: Apart<Mutex<Arrived>>,
}

/// In cache lines of its own: other threads write here all the time, and beside
/// it stands what the loop's thread uses.
#[repr(align(64))]
pub(super) struct Apart<T>(pub T);

struct Waiting {
    futures: Slab<(u64, Arc<Future>)>,
    next_serial: u64,
}

/// What another thread hands over.
enum Arrival {
    /// How a future ends.
    Outcome(Ticket, Outcome),
    /// What is to be called; it owns its data.
    Call(Callback),
}

struct Arrived {
    arrivals: Vec<Arrival>,
    /// The loop will look.
    posted: bool,
    closed: bool,
    /// A vector to go on with while the loop works on the other.
    spare: Vec<Arrival>,
}

// SAFETY: what is in an outcome is the host's, or ours and sendable; the host
// gave it to be handed from one thread to the other.
unsafe impl Send for Arrived {}

impl Completions {
    /// For a loop that nobody forked away from.
    pub fn new(event_loop: &EventLoop) -> Result<Arc<Self>> {
        crate::memory::try_arc(Completions {
            event_loop: event_loop.remote(),
            generation: fork_generation::current(),
            pid: fork_generation::pid(),
            waiting: Mutex::new(Waiting { futures: Slab::new(), next_serial: 0 }),
            arrived: Apart(Mutex::new(Arrived {
                arrivals: Vec::new(),
                posted: false,
                closed: false,
                spare: Vec::new(),
            })),
        })
    }

    /// The process they were made in.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    fn is_forked(&self) -> bool {
        fork_generation::raw() != self.generation
    }

    /// The lock, unless this is a forked child and somebody had it at the fork.
    fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> Option<MutexGuard<'a, T>> {
        match self.is_forked() {
            true => mutex.try_lock().ok(),
            false => Some(mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())),
        }
    }

    /// A ticket for a future, which is held until the outcome comes or until
    /// `forget`. For the loop's thread.
    pub fn issue(&self, future: &Arc<Future>) -> Result<Ticket> {
        let mut waiting = self.lock(&self.waiting).ok_or(Error::Internal)?;
        if waiting.futures.len() == waiting.futures.capacity() {
            crate::memory::probe_array::<(u64, usize, usize)>(2 * waiting.futures.len() + 4)?;
        }
        let serial = waiting.next_serial;
        waiting.next_serial += 1;
        let key = waiting.futures.insert((serial, future.clone()));
        Ok(Ticket { key, serial })
    }

    fn redeem(&self, ticket: Ticket) -> Option<Arc<Future>> {
        let mut waiting = self.lock(&self.waiting)?;
        match waiting.futures.get(ticket.key) {
            Some((serial, _)) if *serial == ticket.serial => {
                Some(waiting.futures.remove(ticket.key).1)
            }
            _ => None,
        }
    }

    /// The outcome will not be wanted. For the loop's thread.
    pub fn forget(&self, ticket: Ticket) {
        drop(self.redeem(ticket));
    }

    /// Hands an outcome over; any thread. After close it is dropped, here.
    pub fn push(self: &Arc<Self>, ticket: Ticket, outcome: Outcome) {
        self.hand_over(Arrival::Outcome(ticket, outcome));
    }

    /// Has a callback called on the loop's thread. After close it is dropped,
    /// here.
    pub fn push_call(self: &Arc<Self>, callback: Callback) {
        self.hand_over(Arrival::Call(callback));
    }

    fn hand_over(self: &Arc<Self>, arrival: Arrival) {
        if self.is_forked() {
            return; // A job forked, and this is the child: nobody waits here.
        }
        let mut arrival = Some(arrival);
        while let Some(waits) = arrival.take() {
            let Some(mut arrived) = self.lock(&self.arrived.0) else { return };
            if arrived.closed {
                drop(arrived);
                return drop(waits);
            }
            if arrived.arrivals.try_reserve(1).is_err() {
                drop(arrived);
                arrival = Some(waits);
                wait_for_memory();
                continue;
            }
            arrived.arrivals.push(waits);
            if std::mem::replace(&mut arrived.posted, true) {
                return;
            }
        }
        self.post();
    }

    fn post(self: &Arc<Self>) {
        loop {
            let callback = Callback::on(self.clone(), |completions| completions.deliver());
            match self.event_loop.call_soon_threadsafe(callback, false) {
                Err(Error::NO_MEMORY) => wait_for_memory(),
                // A loop that closes drops what has arrived by itself.
                _ => return,
            }
        }
    }

    /// Ends the futures whose outcomes have come. Runs on the loop's thread.
    fn deliver(&self) {
        let Some(mut arrived) = self.lock(&self.arrived.0) else { return };
        arrived.posted = false;
        let spare = std::mem::take(&mut arrived.spare);
        let mut arrivals = std::mem::replace(&mut arrived.arrivals, spare);
        drop(arrived);
        for arrival in arrivals.drain(..) {
            match arrival {
                Arrival::Call(callback) => callback.call(),
                Arrival::Outcome(ticket, outcome) => match self.redeem(ticket) {
                    Some(future) => future.finish_if_pending(outcome),
                    None => drop(outcome),
                },
            }
            if self.is_forked() {
                break; // What is left was the parent's to call.
            }
        }
        arrivals.clear();
        if arrivals.capacity() <= MOST_SPARE
            && let Some(mut arrived) = self.lock(&self.arrived.0)
        {
            arrived.spare = arrivals;
        }
    }

    /// No outcome will be delivered any more. Yields the futures that wait.
    pub fn close(&self) -> Slab<(u64, Arc<Future>)> {
        let mut dropped = Vec::new();
        if let Some(mut arrived) = self.lock(&self.arrived.0) {
            arrived.closed = true;
            dropped = std::mem::take(&mut arrived.arrivals);
        }
        drop(dropped);
        match self.lock(&self.waiting) {
            Some(mut waiting) => std::mem::take(&mut waiting.futures),
            None => Slab::new(),
        }
    }
}

/// So much memory may lie idle.
const MOST_SPARE: usize = 4096;

/// An outcome cannot be given up, so its thread waits until there is room.
#[cold]
fn wait_for_memory() {
    std::thread::sleep(Duration::from_millis(1));
}
