//! Sending a file, by the kernel alone where it can.

use super::system;
use super::waiting::{Blocks, run};
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::fd_table::Direction;
use crate::platform::fd::RawFd;
use crate::platform::file::File;
use crate::services::future::{Future, Outcome};
use std::sync::Arc;

/// At most so much in one turn: reading the file may take its time.
const PORTION: u64 = 1 << 20;
/// What is read at a time where the kernel cannot do it alone.
const BUFFER: usize = 1 << 16;

struct Sending {
    fd: RawFd,
    file: File,
    offset: i64,
    /// How many are still to be sent; none: up to the end of the file.
    left: Option<u64>,
    sent: u64,
    /// The kernel cannot do it: what was read last, of which the first `gone`
    /// are sent.
    buffer: Option<(Vec<u8>, usize)>,
}

impl Sending {
    /// Sends some: none if the socket is not ready, 0 at the end of the file.
    fn step(&mut self) -> Result<Option<usize>> {
        if self.left == Some(0) {
            return Ok(Some(0));
        }
        if self.buffer.is_none() {
            let count = self.left.unwrap_or(PORTION).min(PORTION) as usize;
            match system::send_file(self.fd, self.file, self.offset, count) {
                Err(Error::Sys(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP)) => {
                    let mut buffer = Vec::new();
                    buffer.try_reserve_exact(BUFFER).map_err(|_| Error::NO_MEMORY)?;
                    self.buffer = Some((buffer, 0));
                }
                result => return result,
            }
        }
        let Some((bytes, gone)) = &mut self.buffer else { return Err(Error::Internal) };
        if *gone == bytes.len() {
            system::read_at(self.file, bytes, self.offset)?;
            *gone = 0;
        }
        let rest = bytes.get(*gone..).unwrap_or_default();
        let length = rest.len().min(self.left.unwrap_or(u64::MAX).min(BUFFER as u64) as usize);
        if length == 0 {
            return Ok(Some(0));
        }
        // SAFETY: the bytes are ours.
        let count = unsafe { system::send(self.fd, rest.as_ptr().cast(), length, None)? };
        *gone += count.unwrap_or(0);
        Ok(count)
    }

    fn attempt(&mut self) -> Result<Option<Outcome>> {
        match self.step()? {
            None => return Ok(None),
            Some(0) => {}
            Some(count) => {
                self.sent += count as u64;
                self.offset = self.offset.saturating_add_unsigned(count as u64);
                self.left = self.left.map(|left| left.saturating_sub(count as u64));
                if self.left != Some(0) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(Outcome::number(self.sent as usize)))
    }
}

/// asyncio's `sock_sendfile`: how many bytes were sent.
pub fn send_file(
    event_loop: &EventLoop,
    fd: RawFd,
    file: RawFd,
    offset: i64,
    count: Option<u64>,
) -> Result<Arc<Future>> {
    if offset < 0 {
        return Err(Error::Invalid("offset must be a non-negative integer"));
    }
    if file < 0 {
        return Err(Error::BadDescriptor(file));
    }
    event_loop.check_open()?;
    if !system::is_stream(fd)? {
        return Err(Error::Invalid("only SOCK_STREAM type sockets are supported"));
    }
    let mut sending =
        Sending { fd, file: File::of(file), offset, left: count, sent: 0, buffer: None };
    run(event_loop, fd, Direction::Write, Blocks::IfSocketDoes, move || sending.attempt())
}
