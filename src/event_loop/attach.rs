//! What services keep for a loop: one value of each type, made when it is first
//! asked for, told once when the loop closes. The loop knows nothing else of it.

use super::{Core, EventLoop};
use crate::error::Result;
use std::any::{Any, TypeId};
use std::sync::Arc;

/// Why a loop lets go of its attachments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detach {
    /// It was closed.
    Closed,
    /// Its copy in a forked child was closed: what is shared with the parent
    /// (threads, signals, children, descriptors' kernel objects) is not ours.
    ClosedInChild,
    /// A forked child makes the loop its own.
    Reinit,
}

/// A service's state for one loop.
pub trait Attachment: Any + Send + Sync {
    /// Does it stay when a forked child makes the loop its own?
    fn survives_reinit(&self) -> bool {
        false
    }

    /// The loop has let go of it. Nothing of the loop is held; foreign code may
    /// run here. After `Closed` and `ClosedInChild` the loop is closed already.
    fn detached(&self, why: Detach);
}

/// One attachment, as the core holds it.
#[derive(Clone)]
pub(super) struct Attached {
    id: TypeId,
    value: Arc<dyn Any + Send + Sync>,
    as_attachment: fn(&Arc<dyn Any + Send + Sync>) -> &dyn Attachment,
}

impl Attached {
    fn new<T: Attachment>(value: Arc<T>) -> Self {
        Attached {
            id: TypeId::of::<T>(),
            value,
            as_attachment: |value| match value.downcast_ref::<T>() {
                Some(value) => value,
                None => unreachable!("the pair is made here"),
            },
        }
    }

    fn get(&self) -> &dyn Attachment {
        (self.as_attachment)(&self.value)
    }
}

impl EventLoop {
    /// This loop's value of a type; `make` makes it the first time, and must
    /// not run foreign code.
    pub fn attachment<T: Attachment>(&self, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        self.check()?;
        let mut access = self.enter()?;
        if let Some(found) = access.core().find::<T>() {
            return Ok(found);
        }
        let value = crate::memory::try_arc(make()?)?;
        let core = access.core();
        core.attachments.try_reserve(1).map_err(|_| crate::error::Error::NO_MEMORY)?;
        core.attachments.push(Attached::new(value.clone()));
        Ok(value)
    }

    /// Shows the value of a type to `look`, which must not run foreign code. None
    /// as `find_attachment`.
    #[inline]
    pub fn look_at_attachment<T: Attachment, R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.check().ok()?;
        self.enter().ok()?.core().found::<T>().map(look)
    }

    /// The value of a type, if there is one. None also where the loop cannot be
    /// used.
    pub fn find_attachment<T: Attachment>(&self) -> Option<Arc<T>> {
        self.check().ok()?;
        self.enter().ok()?.core().find::<T>()
    }
}

impl Core {
    fn find<T: Attachment>(&self) -> Option<Arc<T>> {
        self.attached::<T>()?.value.clone().downcast().ok()
    }

    #[inline]
    fn found<T: Attachment>(&self) -> Option<&T> {
        self.attached::<T>()?.value.downcast_ref()
    }

    #[inline]
    fn attached<T: Attachment>(&self) -> Option<&Attached> {
        let id = TypeId::of::<T>();
        self.attachments.iter().find(|attached| attached.id == id)
    }

    /// Takes out what does not survive `reinit_after_fork`.
    pub(super) fn take_mortal_attachments(&mut self) -> Vec<Attached> {
        let (stay, go) = std::mem::take(&mut self.attachments)
            .into_iter()
            .partition(|attached| attached.get().survives_reinit());
        self.attachments = stay;
        go
    }
}

/// Tells attachments that their loop let go of them, the last made first.
pub(super) fn detach(attachments: Vec<Attached>, why: Detach) {
    for attached in attachments.into_iter().rev() {
        attached.get().detached(why);
    }
}
