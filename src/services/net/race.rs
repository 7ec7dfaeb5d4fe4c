//! Happy eyeballs (RFC 8305): attempts begin one after the other, each when the
//! one before it failed or took too long; the first success ends all others.

use super::trouble::{Attempt, Trouble};
use super::wait::{Pause, sleep};
use crate::error::Error;
use crate::event_loop::Kept;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

/// An attempt that can be given up by dropping it.
pub type Running<T> = Pin<Box<dyn Future<Output = Attempt<T>>>>;

/// The attempts of one race.
struct Race<T, I> {
    event_loop: Kept,
    delay_ns: u64,
    /// Those that have not begun.
    rest: I,
    /// Those that have; an attempt that failed leaves what it said.
    begun: Vec<Begun<T>>,
    /// Until the next one begins.
    pause: Option<Pause>,
    exhausted: bool,
}

enum Begun<T> {
    Running(Running<T>),
    Failed(Trouble),
}

/// The first success, or what each attempt said, in the order in which they
/// began. A delay of 0 makes one attempt at a time.
pub async fn race<T>(
    event_loop: &Kept,
    attempts: impl Iterator<Item = Result<Running<T>, Error>>,
    delay_ns: u64,
) -> Result<T, Vec<Trouble>> {
    let mut race = Race {
        event_loop: event_loop.clone(),
        delay_ns,
        rest: attempts,
        begun: Vec::new(),
        pause: None,
        exhausted: false,
    };
    poll_fn(|context| race.poll(context)).await
}

impl<T, I: Iterator<Item = Result<Running<T>, Error>>> Race<T, I> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<T, Vec<Trouble>>> {
        loop {
            let mut running = 0;
            for begun in &mut self.begun {
                let Begun::Running(attempt) = begun else { continue };
                match attempt.as_mut().poll(context) {
                    Poll::Ready(Ok(won)) => return Poll::Ready(Ok(won)),
                    Poll::Ready(Err(trouble)) => *begun = Begun::Failed(trouble),
                    Poll::Pending => running += 1,
                }
            }
            if !self.may_begin(context) {
                if running == 0 && self.exhausted {
                    return Poll::Ready(Err(self.troubles()));
                }
                return Poll::Pending;
            }
            match self.rest.next() {
                Some(attempt) => {
                    if self.begun.try_reserve(1).is_err() {
                        // Without memory those must do that have begun.
                        self.exhausted = true;
                        continue;
                    }
                    self.begun.push(match attempt {
                        Ok(attempt) => Begun::Running(attempt),
                        Err(error) => Begun::Failed(error.into()),
                    });
                    self.pause =
                        (self.delay_ns != 0).then(|| sleep(&self.event_loop, self.delay_ns));
                }
                None => {
                    self.exhausted = true;
                    self.pause = None;
                }
            }
        }
    }

    /// Is it the next attempt's turn?
    fn may_begin(&mut self, context: &mut Context<'_>) -> bool {
        if self.exhausted {
            return false;
        }
        match self.begun.last() {
            None | Some(Begun::Failed(_)) => true,
            Some(Begun::Running(_)) => match &mut self.pause {
                Some(pause) => Pin::new(pause).poll(context).is_ready(),
                None => false,
            },
        }
    }

    fn troubles(&mut self) -> Vec<Trouble> {
        let failed = |begun| match begun {
            Begun::Failed(trouble) => Some(trouble),
            Begun::Running(_) => None,
        };
        let begun = std::mem::take(&mut self.begun);
        crate::memory::try_collect(begun.into_iter().filter_map(failed)).unwrap_or_default()
    }
}
