//! A future refers to those who wait for it, and they often refer to it: circles
//! that open when it is done. A loop that closes will see to that no more, so it
//! cuts what still waits.

use super::Future;
use crate::error::{Error, Result};
use crate::event_loop::{Attachment, Detach, EventLoop};
use crate::loop_cell::LoopCell;
use std::sync::{Arc, Weak};

/// How many links a loop may have before the first look for dead ones.
const FEW: usize = 64;

/// The futures of a loop that services wait for.
struct Links(LoopCell<List>);

struct List {
    futures: Vec<Weak<Future>>,
    /// At this length those that are gone are thrown out.
    full: usize,
}

impl Attachment for Links {
    fn survives_reinit(&self) -> bool {
        true
    }

    fn detached(&self, _why: Detach) {
        // SAFETY: the loop has let go of this; a child that was forked in the
        // middle of a change finds it in use and leaves it.
        let futures = unsafe { self.0.try_with(|list| std::mem::take(&mut list.futures)) };
        for future in futures.into_iter().flatten() {
            if let Some(future) = future.upgrade() {
                future.forget_services();
            }
        }
    }
}

/// From now on the loop's end is the end of what services wait for here.
pub(super) fn add(event_loop: &EventLoop, future: &Arc<Future>) -> Result<()> {
    let links = event_loop
        .attachment(|| Ok(Links(LoopCell::new(List { futures: Vec::new(), full: FEW }))))?;
    let _hold = event_loop.hold()?;
    let add = |list: &mut List| {
        if list.futures.len() >= list.full {
            list.futures.retain(|future| future.strong_count() > 0);
            list.full = (2 * list.futures.len()).max(FEW);
        }
        list.futures.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
        list.futures.push(Arc::downgrade(future));
        Ok(())
    };
    // SAFETY: held; what goes are weak references, which run no destructor.
    unsafe { links.0.with(add) }
}
