//! Bytes that wait for room: copies, and pieces of the host's memory. It exists
//! only while something waits.

use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::memory::probe;
use crate::platform::sys;
use std::alloc::Layout;
use std::collections::VecDeque;
use std::ffi::c_void;

/// Copies are collected in chunks of at least so many bytes.
const CHUNK: usize = 4096;
/// How many pieces go out in one call.
pub const GATHERED: usize = 64;

/// The bytes that wait.
#[derive(Default)]
pub struct WriteBuffer {
    chunks: VecDeque<Chunk>,
    /// How many bytes of the first chunk are gone.
    gone: usize,
    size: usize,
}

enum Chunk {
    Copied(Vec<u8>),
    Owned(Box<Owned>),
}

/// A piece of the host's memory.
struct Owned {
    data: *const c_void,
    length: usize,
    #[allow(dead_code)]
    owner: UserData,
    /// Another one that is to be dropped.
    next: Option<Box<Owned>>,
}

/// Pieces that are done with. To be dropped when nothing is borrowed.
pub struct Done(Option<Box<Owned>>);

impl Drop for Done {
    fn drop(&mut self) {
        // One after the other: they may be many.
        while let Some(mut owned) = self.0.take() {
            self.0 = owned.next.take();
        }
    }
}

impl Chunk {
    fn bytes(&self) -> (*const c_void, usize) {
        match self {
            Chunk::Copied(bytes) => (bytes.as_ptr().cast(), bytes.len()),
            Chunk::Owned(owned) => (owned.data, owned.length),
        }
    }
}

impl WriteBuffer {
    /// How many bytes wait.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Appends a copy.
    ///
    /// # Safety
    /// `length` bytes may be read at `data`.
    pub unsafe fn copy(&mut self, data: *const c_void, length: usize) -> Result<()> {
        // SAFETY: as promised; an empty part may have any address.
        let mut rest = match length {
            0 => return Ok(()),
            _ => unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) },
        };
        // A chunk is never moved to a larger place: first what fits in the last.
        if let Some(Chunk::Copied(last)) = self.chunks.back_mut() {
            let fits = rest.len().min(last.capacity() - last.len());
            let (now, later) = rest.split_at(fits);
            // First what may fail: then nothing has changed.
            let mut chunk = Vec::new();
            if !later.is_empty() {
                chunk.try_reserve_exact(later.len().max(CHUNK)).map_err(|_| Error::NO_MEMORY)?;
                self.chunks.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
                chunk.extend_from_slice(later);
            }
            if let Some(Chunk::Copied(last)) = self.chunks.back_mut() {
                last.extend_from_slice(now);
            }
            if !chunk.is_empty() {
                self.chunks.push_back(Chunk::Copied(chunk));
            }
            self.size += rest.len();
            rest = &[];
        }
        if !rest.is_empty() {
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(rest.len().max(CHUNK)).map_err(|_| Error::NO_MEMORY)?;
            self.chunks.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
            chunk.extend_from_slice(rest);
            self.size += rest.len();
            self.chunks.push_back(Chunk::Copied(chunk));
        }
        Ok(())
    }

    /// Appends the host's memory as it is. On failure the owner comes back.
    pub fn own(
        &mut self,
        data: *const c_void,
        length: usize,
        owner: UserData,
    ) -> std::result::Result<(), UserData> {
        if self.chunks.try_reserve(1).is_err() || probe(Layout::new::<Owned>()).is_err() {
            return Err(owner);
        }
        self.size += length;
        self.chunks.push_back(Chunk::Owned(Box::new(Owned { data, length, owner, next: None })));
        Ok(())
    }

    /// The first pieces, for a gathered write. How many.
    pub fn gather(&self, parts: &mut [sys::iovec; GATHERED]) -> usize {
        let mut gone = self.gone;
        let mut count = 0;
        for (chunk, part) in self.chunks.iter().zip(parts.iter_mut()) {
            let (data, length) = chunk.bytes();
            part.iov_base = data.wrapping_byte_add(gone).cast_mut();
            part.iov_len = length - gone;
            gone = 0;
            count += 1;
        }
        count
    }

    /// So many bytes are sent. What they came from, to be dropped when nothing
    /// is borrowed.
    #[must_use]
    pub fn consume(&mut self, count: usize) -> Done {
        let mut done: Option<Box<Owned>> = None;
        let count = count.min(self.size);
        self.size -= count;
        self.gone += count;
        while let Some(chunk) = self.chunks.front() {
            let (_, length) = chunk.bytes();
            if self.gone < length {
                break;
            }
            self.gone -= length;
            match self.chunks.pop_front() {
                Some(Chunk::Owned(mut owned)) => {
                    owned.next = done.take();
                    done = Some(owned);
                }
                other => drop(other),
            }
        }
        // In the order in which they were given.
        let mut ordered: Option<Box<Owned>> = None;
        while let Some(mut owned) = done.take() {
            done = owned.next.take();
            owned.next = ordered.take();
            ordered = Some(owned);
        }
        Done(ordered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(buffer: &mut WriteBuffer, bytes: &[u8]) {
        unsafe { buffer.copy(bytes.as_ptr().cast(), bytes.len()) }.unwrap();
    }

    /// Takes up to `limit` bytes as a socket would.
    fn take(buffer: &mut WriteBuffer, limit: usize) -> Vec<u8> {
        let empty = sys::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        let mut parts = [empty; GATHERED];
        let count = buffer.gather(&mut parts);
        let mut out = Vec::new();
        for part in &parts[..count] {
            let bytes = unsafe { std::slice::from_raw_parts(part.iov_base.cast(), part.iov_len) };
            out.extend_from_slice(bytes);
        }
        out.truncate(limit);
        drop(buffer.consume(out.len()));
        out
    }

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut buffer = WriteBuffer::default();
        let long: Vec<u8> = (0..10_000u32).map(|i| i as u8).collect();
        let mut expected = Vec::new();
        for length in [1, 5000, 3, 4096, 9999, 7] {
            put(&mut buffer, &long[..length]);
            expected.extend_from_slice(&long[..length]);
        }
        let owner = UserData::new(std::ptr::null_mut(), None);
        assert!(buffer.own(long.as_ptr().cast(), 100, owner).is_ok());
        expected.extend_from_slice(&long[..100]);
        put(&mut buffer, b"end");
        expected.extend_from_slice(b"end");
        assert_eq!(buffer.size(), expected.len());
        let mut got = Vec::new();
        while buffer.size() > 0 {
            got.extend(take(&mut buffer, 777));
        }
        assert!(got == expected && buffer.chunks.is_empty() && buffer.gone == 0);
    }

    #[test]
    fn owners_end_when_their_last_byte_is_sent() {
        let mut buffer = WriteBuffer::default();
        let owner = || UserData::new(std::ptr::null_mut(), None);
        let bytes = [1u8; 10];
        assert!(buffer.own(bytes.as_ptr().cast(), 10, owner()).is_ok());
        assert!(buffer.own(bytes.as_ptr().cast(), 10, owner()).is_ok());
        assert!(buffer.consume(9).0.is_none());
        assert!(buffer.consume(1).0.as_ref().is_some_and(|owned| owned.next.is_none()));
        assert!(buffer.consume(10).0.is_some());
        assert_eq!(buffer.size(), 0);
    }
}
