//! Which callbacks wait for which descriptor. Every registration has a serial
//! and every watch an epoch, so that an event for something that is gone (a
//! removed callback, a closed and reused descriptor) is recognised.

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::memory::probe_array;
use crate::platform::fd::RawFd;
use slab::Slab;
use std::num::NonZeroU32;

/// The two independent directions of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Readable, or hung up.
    Read = 0,
    /// Writable, or broken.
    Write = 1,
}

/// What a watch waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Wake for input.
    pub readable: bool,
    /// Wake for room to write.
    pub writable: bool,
}

impl Interest {
    /// Wakes for nothing.
    pub fn is_none(self) -> bool {
        self == Interest::default()
    }
}

/// One callback of a watch.
pub struct Registration {
    /// What to call.
    pub callback: Callback,
    /// Tells this registration from its predecessors and successors.
    pub serial: u32,
}

/// A descriptor with its reader and writer. There may be very many: a place in
/// the table is a cache line. For that serials stand apart from callbacks, and
/// an epoch is never 0, which leaves the table a mark for empty places.
pub struct Watch {
    /// The descriptor.
    pub fd: RawFd,
    epoch: NonZeroU32,
    serials: [u32; 2],
    callbacks: [Option<Callback>; 2],
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Watch>() == 64 && size_of::<Option<Watch>>() == 64);

impl Watch {
    /// What the present registrations wait for.
    pub fn interest(&self) -> Interest {
        Interest { readable: self.callbacks[0].is_some(), writable: self.callbacks[1].is_some() }
    }

    /// Is there a registration of this direction?
    pub fn has(&self, direction: Direction) -> bool {
        self.callbacks[direction as usize].is_some()
    }

    /// The serial of one direction's registration.
    #[inline]
    pub fn serial(&self, direction: Direction) -> Option<u32> {
        self.has(direction).then_some(self.serials[direction as usize])
    }

    /// The callback of one direction.
    #[inline]
    pub fn callback(&self, direction: Direction) -> Option<&Callback> {
        self.callbacks[direction as usize].as_ref()
    }

    /// Registers; yields what was registered before.
    pub fn set(&mut self, direction: Direction, new: Registration) -> Option<Registration> {
        let old = self.take(direction);
        self.callbacks[direction as usize] = Some(new.callback);
        self.serials[direction as usize] = new.serial;
        old
    }

    fn key(&self, index: usize) -> usize {
        (self.epoch.get() as usize).wrapping_shl(INDEX_BITS) | index
    }

    /// Ends a registration.
    pub fn take(&mut self, direction: Direction) -> Option<Registration> {
        let callback = self.callbacks[direction as usize].take()?;
        Some(Registration { callback, serial: self.serials[direction as usize] })
    }
}

/// The table: watches by index for the events, indices by descriptor for calls.
pub struct FdTable {
    watches: Slab<Watch>,
    /// Index + 1 of each descriptor's watch; 0 where there is none.
    by_fd: Vec<u32>,
    next_epoch: u32,
    next_serial: u32,
}

/// How many bits of a poller key hold the index; the rest holds the epoch.
const INDEX_BITS: u32 = if usize::BITS == 64 { 32 } else { 20 };
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

impl FdTable {
    /// An empty table that owns no memory yet.
    pub const fn new() -> Self {
        FdTable { watches: Slab::new(), by_fd: Vec::new(), next_epoch: 0, next_serial: 0 }
    }

    /// How many descriptors are watched.
    pub fn len(&self) -> usize {
        self.watches.len()
    }

    /// The watch of a descriptor.
    pub fn index_of(&self, fd: RawFd) -> Option<usize> {
        let index = *self.by_fd.get(usize::try_from(fd).ok()?)?;
        (index != 0).then(|| index as usize - 1)
    }

    /// Would `insert` for this descriptor need no larger table?
    pub fn has_room_for(&self, fd: RawFd) -> bool {
        usize::try_from(fd).is_ok_and(|fd| fd < self.by_fd.len())
    }

    /// Makes sure that `insert` for this descriptor cannot fail.
    pub fn reserve(&mut self, fd: RawFd) -> Result<()> {
        let fd = usize::try_from(fd).map_err(|_| Error::Sys(libc::EBADF))?;
        if fd >= self.by_fd.len() {
            self.by_fd.try_reserve(fd + 1 - self.by_fd.len()).map_err(|_| Error::NO_MEMORY)?;
            self.by_fd.resize(fd + 1, 0);
        }
        if self.watches.len() == self.watches.capacity() {
            let more = self.watches.capacity().max(4);
            if self.watches.capacity() + more > INDEX_MASK {
                return Err(Error::NO_MEMORY);
            }
            probe_array::<(usize, Watch)>(self.watches.capacity() + more)?;
            self.watches.reserve(more);
        }
        Ok(())
    }

    /// A new watch, with no registration yet, after `reserve`.
    pub fn insert(&mut self, fd: RawFd) -> usize {
        let epoch = self.take_epoch();
        let index =
            self.watches.insert(Watch { fd, epoch, serials: [0; 2], callbacks: [None, None] });
        self.by_fd[fd as usize] = index as u32 + 1;
        index
    }

    /// Removes a watch with whatever it still holds.
    pub fn remove(&mut self, index: usize) -> Option<Watch> {
        let watch = self.watches.try_remove(index)?;
        self.by_fd[watch.fd as usize] = 0;
        Some(watch)
    }

    /// A watch by its index.
    pub fn get(&mut self, index: usize) -> Option<&mut Watch> {
        self.watches.get_mut(index)
    }

    /// Removes all watches and yields what they were to call. Epochs and serials
    /// go on counting.
    pub fn take_registrations(&mut self) -> impl Iterator<Item = Registration> + use<> {
        self.by_fd = Vec::new();
        let watches = std::mem::take(&mut self.watches);
        watches.into_iter().flat_map(|(_, mut watch)| {
            [Direction::Read, Direction::Write].into_iter().filter_map(move |side| watch.take(side))
        })
    }

    /// Every watch, for re-registration.
    pub fn indices(&self) -> Vec<usize> {
        self.watches.iter().map(|(index, _)| index).collect()
    }

    /// What an event must bear to be delivered to this watch.
    pub fn key(&self, index: usize) -> usize {
        self.watches[index].key(index)
    }

    /// The watch that an event's key means, if that watch still stands.
    #[inline]
    pub fn find(&mut self, key: usize) -> Option<(usize, &mut Watch)> {
        let index = key & INDEX_MASK;
        let watch = self.watches.get_mut(index)?;
        (watch.key(index) == key).then_some((index, watch))
    }

    /// Makes all earlier events of a watch unrecognisable: its descriptor
    /// number has come to mean another file.
    pub fn renew_epoch(&mut self, index: usize) {
        let epoch = self.take_epoch();
        self.watches[index].epoch = epoch;
    }

    fn take_epoch(&mut self) -> NonZeroU32 {
        // The topmost epoch stays unused: polling reserves the key usize::MAX.
        let limit = if usize::BITS == 64 { u32::MAX } else { (1 << (32 - INDEX_BITS)) - 1 };
        self.next_epoch = self.next_epoch % (limit - 1) + 1;
        NonZeroU32::new(self.next_epoch).unwrap_or(NonZeroU32::MIN)
    }

    /// A serial for a new registration.
    pub fn take_serial(&mut self) -> u32 {
        // 0 means that nothing runs.
        self.next_serial = self.next_serial.wrapping_add(1).max(1);
        self.next_serial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_number_has_another_key() {
        let mut table = FdTable::new();
        table.reserve(9).unwrap();
        let first = table.insert(9);
        let key = table.key(first);
        assert_eq!(table.find(key).map(|(index, watch)| (index, watch.fd)), Some((first, 9)));
        table.remove(first);
        assert!(table.find(key).is_none() && table.index_of(9).is_none());
        let second = table.insert(9);
        assert_eq!(first, second);
        assert!(table.find(key).is_none());
        let renewed = table.key(second);
        table.renew_epoch(second);
        assert!(table.find(renewed).is_none());
        assert_eq!(table.index_of(9), Some(second));
    }

    #[test]
    fn impossible_descriptors_are_refused() {
        let mut table = FdTable::new();
        assert_eq!(table.reserve(-1), Err(Error::Sys(libc::EBADF)));
        assert_eq!(table.index_of(-5), None);
        assert_eq!(table.index_of(5), None);
        assert_eq!(table.len(), 0);
    }
}
