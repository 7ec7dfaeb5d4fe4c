//! Why Windows has a reactor of our own (`src/reactor/afd.rs`) though polling has
//! one: in polling 3.11 a wait never comes back from a socket that was closed
//! while it was watched. When this fails, polling can have the work back.
#![cfg(windows)]

use polling::{Event, Events, PollMode, Poller};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Does a wait of at most a tenth of a second end within five?
fn a_wait_ends(poller: &Arc<Poller>) -> bool {
    let poller = poller.clone();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let _ = poller.wait(&mut Events::new(), Some(Duration::from_millis(100)));
        let _ = sender.send(());
    });
    receiver.recv_timeout(Duration::from_secs(5)).is_ok()
}

#[test]
fn a_socket_closed_while_it_is_watched_stops_polling_for_good() {
    let poller = Arc::new(Poller::new().unwrap());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // SAFETY: this is the promise that the hosts of an event loop break: the socket
    // is closed before it is deleted.
    unsafe { poller.add_with_mode(&socket, Event::readable(1), PollMode::Level).unwrap() };
    assert!(a_wait_ends(&poller));
    drop(socket);
    // The first one may be over before the driver tells of it.
    assert!((0..20).any(|_| !a_wait_ends(&poller)));
}
