//! On Linux the reactor waits on polling's own epoll descriptor. What it takes
//! for granted there is not documented by polling, so an upgrade that changes it
//! must fail here.

#![cfg(backend = "epoll")]

use polling::{Event, PollMode, Poller};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

fn wait(poller: &Poller, timeout_ms: i32) -> Vec<(u64, u32)> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 16];
    // SAFETY: the buffer holds 16 events.
    let count =
        unsafe { libc::epoll_wait(poller.as_raw_fd(), events.as_mut_ptr(), 16, timeout_ms) };
    assert!(count >= 0);
    events[..count as usize].iter().map(|event| (event.u64, event.events)).collect()
}

fn watch(poller: &Poller, fd: RawFd, event: Event, mode: PollMode) {
    // SAFETY: every test keeps its descriptors open longer than the poller.
    unsafe { poller.add_with_mode(fd, event, mode) }.unwrap();
}

#[test]
fn the_poller_is_an_epoll_descriptor_closed_on_exec() {
    let poller = Poller::new().unwrap();
    let link = fs::read_link(format!("/proc/self/fd/{}", poller.as_raw_fd())).unwrap();
    assert_eq!(link.to_str(), Some("anon_inode:[eventpoll]"));
    // SAFETY: reads a flag.
    let flags = unsafe { libc::fcntl(poller.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
}

#[test]
fn the_events_data_is_the_key() {
    let poller = Poller::new().unwrap();
    let (mut near, far) = UnixStream::pair().unwrap();
    let key = 7 << (usize::BITS - 24) | 3;
    watch(&poller, far.as_raw_fd(), Event::readable(key), PollMode::Level);
    near.write_all(b"x").unwrap();
    let events = wait(&poller, 1000);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].0, key as u64);
    assert!(events[0].1 & libc::EPOLLIN as u32 != 0);
}

#[test]
fn pollings_own_descriptors_stay_silent() {
    let poller = Poller::new().unwrap();
    assert_eq!(wait(&poller, 0), []);
    assert_eq!(wait(&poller, 20), []);
    // Whatever it watches for itself bears the one key that users cannot have.
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", poller.as_raw_fd())).unwrap();
    for line in text.lines().filter(|line| line.starts_with("tfd:")) {
        assert!(line.contains("data: ffffffffffffffff"), "{line}");
    }
}

#[test]
fn level_mode_reports_until_the_cause_is_gone_and_edge_mode_once() {
    let poller = Poller::new().unwrap();
    let (mut near, mut far) = UnixStream::pair().unwrap();
    watch(&poller, far.as_raw_fd(), Event::readable(1), PollMode::Level);
    near.write_all(b"x").unwrap();
    for _ in 0..3 {
        assert_eq!(wait(&poller, 1000).len(), 1);
    }
    far.read_exact(&mut [0]).unwrap();
    assert_eq!(wait(&poller, 0), []);

    let (mut near, edge) = UnixStream::pair().unwrap();
    watch(&poller, edge.as_raw_fd(), Event::readable(2), PollMode::Edge);
    for _ in 0..2 {
        near.write_all(b"x").unwrap();
        assert_eq!(wait(&poller, 1000).len(), 1);
        assert_eq!(wait(&poller, 0), []);
    }
}

#[test]
fn errors_are_the_kernels_own() {
    let poller = Poller::new().unwrap();
    let (stream, _peer) = UnixStream::pair().unwrap();
    // SAFETY: a number that is not open; the call must refuse it.
    let closed = unsafe { poller.add_with_mode(i32::MAX - 1, Event::readable(1), PollMode::Level) };
    assert_eq!(closed.unwrap_err().raw_os_error(), Some(libc::EBADF));
    let unknown = poller.modify_with_mode(&stream, Event::readable(1), PollMode::Level);
    assert_eq!(unknown.unwrap_err().raw_os_error(), Some(libc::ENOENT));
    watch(&poller, stream.as_raw_fd(), Event::readable(1), PollMode::Level);
    // SAFETY: the stream outlives the poller's use.
    let twice = unsafe { poller.add_with_mode(&stream, Event::readable(1), PollMode::Level) };
    assert_eq!(twice.unwrap_err().raw_os_error(), Some(libc::EEXIST));
    let file = OwnedFd::from(fs::File::open("/etc/passwd").unwrap());
    // SAFETY: as above.
    let plain = unsafe { poller.add_with_mode(&file, Event::readable(1), PollMode::Level) };
    assert_eq!(plain.unwrap_err().raw_os_error(), Some(libc::EPERM));
}

#[test]
fn dropping_a_poller_whose_number_means_another_file_leaves_the_epoll_set_alone() {
    let poller = Poller::new().unwrap();
    let (mut near, far) = UnixStream::pair().unwrap();
    watch(&poller, far.as_raw_fd(), Event::readable(5), PollMode::Level);
    // SAFETY: duplicates descriptors of our own.
    let kept = unsafe { libc::fcntl(poller.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 0) };
    // SAFETY: as above; afterwards the poller's number means the socket.
    assert!(unsafe { libc::dup3(near.as_raw_fd(), poller.as_raw_fd(), libc::O_CLOEXEC) } >= 0);
    drop(poller);
    near.write_all(b"x").unwrap();
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: room for one event; `kept` is still open.
    assert_eq!(unsafe { libc::epoll_wait(kept, &mut event, 1, 1000) }, 1);
    assert_eq!({ event.u64 }, 5);
    // SAFETY: ours.
    unsafe { libc::close(kept) };
}
