//! What the steps of this service wait for. Each thing waited for is given up
//! when its value is dropped.

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::event_loop::Kept;
use crate::fd_table::Direction;
use crate::handle_table::HandleId;
use crate::loop_cell::LoopCell;
use crate::memory::try_arc;
use crate::platform::fd::{AsRawFd, BorrowedFd, RawFd};
use crate::services::future::{Future, Token};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Something that happens once, on the loop's thread.
struct Signal {
    event_loop: Kept,
    state: LoopCell<(bool, Option<Waker>)>,
}

impl Signal {
    fn new(event_loop: &Kept) -> Result<Arc<Self>> {
        try_arc(Signal { event_loop: event_loop.clone(), state: LoopCell::new((false, None)) })
    }

    fn happen(&self) {
        let Ok(_hold) = self.event_loop.hold() else { return };
        // SAFETY: the loop is held.
        let waker = unsafe {
            self.state.with(|state| {
                state.0 = true;
                state.1.take()
            })
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Did it happen? If not, `context` is told when it does.
    fn poll(&self, context: &Context<'_>) -> Result<bool> {
        let _hold = self.event_loop.hold()?;
        let mut waker = Some(context.waker().clone());
        // SAFETY: the loop is held.
        let happened = unsafe {
            self.state.with(|state| {
                if !state.0 {
                    std::mem::swap(&mut state.1, &mut waker);
                }
                state.0
            })
        };
        drop(waker);
        Ok(happened)
    }

    /// Nobody waits any more.
    fn forget(&self) {
        let Ok(_hold) = self.event_loop.hold() else { return };
        // SAFETY: the loop is held.
        drop(unsafe { self.state.with(|state| state.1.take()) });
    }
}

/// Until a descriptor is ready. The descriptor must live longer.
pub struct Readiness {
    event_loop: Kept,
    fd: RawFd,
    direction: Direction,
    signal: Option<Arc<Signal>>,
}

/// Waits until `fd` is ready in a direction, hung up or broken.
pub fn ready(event_loop: &Kept, fd: BorrowedFd<'_>, direction: Direction) -> Readiness {
    Readiness { event_loop: event_loop.clone(), fd: fd.as_raw_fd(), direction, signal: None }
}

impl std::future::Future for Readiness {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &self.signal {
            Some(signal) => match signal.poll(context) {
                Ok(true) => {
                    self.end();
                    Poll::Ready(Ok(()))
                }
                Ok(false) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
            None => match self.start(context) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
        }
    }
}

impl Readiness {
    fn start(&mut self, context: &Context<'_>) -> Result<()> {
        let signal = Signal::new(&self.event_loop)?;
        signal.poll(context)?;
        let callback = Callback::on(signal.clone(), |signal| signal.happen());
        let result = self.event_loop.add_watch(self.fd, self.direction, callback);
        match result {
            Ok(()) => self.signal = Some(signal),
            Err(_) => signal.forget(),
        }
        result
    }

    fn end(&mut self) {
        if let Some(signal) = self.signal.take() {
            signal.forget();
            let _ = self.event_loop.remove_watch(self.fd, self.direction);
        }
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        self.end();
    }
}

/// Until a time, or the next turn.
pub struct Pause {
    event_loop: Kept,
    /// None: the next turn.
    delay_ns: Option<i64>,
    waiting: Option<(Arc<Signal>, HandleId)>,
}

/// Waits so long.
pub fn sleep(event_loop: &Kept, delay_ns: u64) -> Pause {
    let delay_ns = Some(delay_ns.min(i64::MAX as u64) as i64);
    Pause { event_loop: event_loop.clone(), delay_ns, waiting: None }
}

/// Waits for what was scheduled until now: asyncio's sleep(0).
pub fn next_turn(event_loop: &Kept) -> Pause {
    Pause { event_loop: event_loop.clone(), delay_ns: None, waiting: None }
}

impl std::future::Future for Pause {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.waiting.is_none()
            && let Err(error) = self.start()
        {
            return Poll::Ready(Err(error));
        }
        let Some((signal, _)) = &self.waiting else { return Poll::Ready(Err(Error::Internal)) };
        match signal.poll(context) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Pause {
    fn start(&mut self) -> Result<()> {
        let signal = Signal::new(&self.event_loop)?;
        let callback = Callback::on(signal.clone(), |signal| signal.happen());
        let id = match self.delay_ns {
            Some(delay_ns) => self.event_loop.call_later(delay_ns, callback)?,
            None => self.event_loop.call_soon(callback, true)?,
        };
        self.waiting = Some((signal, id));
        Ok(())
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        if let Some((signal, id)) = self.waiting.take() {
            signal.forget();
            // Stale once it has run.
            let _ = self.event_loop.handle_cancel(id);
        }
    }
}

/// Until a future is done.
pub struct End {
    future: Arc<Future>,
    token: Option<Token>,
}

/// Waits for a future, which is cancelled if nobody waits any more.
pub fn end_of(future: Arc<Future>) -> End {
    End { future, token: None }
}

impl std::future::Future for End {
    type Output = Result<Arc<Future>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.future.is_done() {
            return Poll::Ready(Ok(self.future.clone()));
        }
        if self.token.is_none() {
            // The block that waits stays the same, and so does its waker.
            let waker = context.waker().clone();
            match self.future.on_done(move |_| waker.wake()) {
                Ok(token) => self.token = Some(token),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Pending
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            self.future.forget_callback(token);
        }
        if !self.future.is_done() {
            let _ = self.future.cancel(None);
        }
        self.future.consume();
    }
}
