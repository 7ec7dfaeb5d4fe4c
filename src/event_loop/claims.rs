//! Descriptors that belong to a transport. Its reader and writer are not to be
//! replaced by others: what works on descriptors for the host asks first.

use super::EventLoop;
use crate::error::{Error, Result};
use crate::platform::fd::RawFd;

/// A set of descriptors: a bit for each number.
pub(super) struct Claims(Vec<u64>);

impl Claims {
    /// Nothing is claimed.
    pub const fn new() -> Self {
        Claims(Vec::new())
    }

    fn place(fd: RawFd) -> Result<(usize, u64)> {
        let fd = usize::try_from(fd).map_err(|_| Error::BadDescriptor(fd))?;
        Ok((fd / 64, 1 << (fd % 64)))
    }

    fn has(&self, fd: RawFd) -> bool {
        Claims::place(fd).is_ok_and(|(word, bit)| self.0.get(word).is_some_and(|w| w & bit != 0))
    }

    fn add(&mut self, fd: RawFd) -> Result<()> {
        let (word, bit) = Claims::place(fd)?;
        if word >= self.0.len() {
            self.0.try_reserve(word + 1 - self.0.len()).map_err(|_| Error::NO_MEMORY)?;
            self.0.resize(word + 1, 0);
        }
        if self.0[word] & bit != 0 {
            return Err(Error::UsedByTransport(fd));
        }
        self.0[word] |= bit;
        Ok(())
    }

    fn remove(&mut self, fd: RawFd) {
        if let Ok((word, bit)) = Claims::place(fd)
            && let Some(word) = self.0.get_mut(word)
        {
            *word &= !bit;
        }
    }
}

impl EventLoop {
    /// A transport takes a descriptor; fails if another one has it.
    pub fn claim_fd(&self, fd: RawFd) -> Result<()> {
        self.check()?;
        self.enter()?.core().claims.add(fd)
    }

    /// It gives it back, before it closes it. No error on a closed loop.
    pub fn release_fd(&self, fd: RawFd) {
        if let Ok(mut access) = self.enter() {
            access.core().claims.remove(fd);
        }
    }

    /// Fails if a transport has this descriptor.
    pub fn refuse_claimed(&self, fd: RawFd) -> Result<()> {
        self.check()?;
        if self.enter()?.core().claims.has(fd) { Err(Error::UsedByTransport(fd)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_claimed_once() {
        let mut claims = Claims::new();
        assert!(!claims.has(130) && !claims.has(-1));
        claims.add(130).unwrap();
        assert_eq!(claims.add(130), Err(Error::UsedByTransport(130)));
        assert!(claims.has(130) && !claims.has(129));
        claims.remove(130);
        claims.remove(5000);
        assert!(!claims.has(130));
        assert_eq!(claims.add(-1), Err(Error::BadDescriptor(-1)));
    }
}
