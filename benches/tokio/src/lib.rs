//! The tokio side of the benchmark: an echo server on the runtime of one thread, exported
//! to C.
//!
//! A task per connection. It polls the stream itself instead of awaiting `read`, because so
//! one read buffer does for all: nothing keeps it across an await. `poll_read` rather than
//! `readable` and `try_read`: it knows that a short read has emptied the socket, and saves
//! the read that says so. What the socket does not take at once goes out of a copy.

use std::cell::RefCell;
use std::ffi::c_int;
use std::future::poll_fn;
use std::io;
use std::os::fd::{FromRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

type Received = extern "C" fn(usize) -> c_int;

const CHUNK: usize = 262144;

thread_local! {
    static INBOX: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// Reads once and sends back what came: how much that was, and what could not be sent.
fn poll_turn(
    stream: &mut TcpStream,
    context: &mut Context<'_>,
) -> Poll<io::Result<(usize, Vec<u8>)>> {
    INBOX.with_borrow_mut(|inbox| {
        let mut buffer = ReadBuf::new(inbox);
        ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
        let bytes = buffer.filled();
        let sent = match Pin::new(&mut *stream).poll_write(context, bytes) {
            Poll::Ready(result) => result?,
            Poll::Pending => 0,
        };
        Poll::Ready(Ok((bytes.len(), bytes[sent..].to_vec())))
    })
}

async fn connection(mut stream: TcpStream, received: Received, done: Arc<Notify>) {
    while let Ok((length @ 1.., unsent)) =
        poll_fn(|context| poll_turn(&mut stream, context)).await
    {
        if !unsent.is_empty() && stream.write_all(&unsent).await.is_err() {
            return;
        }
        if received(length) != 0 {
            done.notify_one();
        }
    }
}

async fn accept(listener: TcpListener, received: Received, done: Arc<Notify>) {
    loop {
        let (stream, _) = listener.accept().await.expect("accept");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        tokio::spawn(connection(stream, received, Arc::clone(&done)));
    }
}

/// Serves on the listener, which is non-blocking and from now on tokio's, until `received`
/// returns something else than 0.
#[no_mangle]
pub extern "C" fn tokio_stream_serve(listener: RawFd, received: Received) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    // SAFETY: a descriptor that its owner has given to this function.
    let listener = unsafe { std::net::TcpListener::from_raw_fd(listener) };
    runtime.block_on(async {
        let done = Arc::new(Notify::new());
        let listener = TcpListener::from_std(listener).expect("from_std");
        tokio::spawn(accept(listener, received, Arc::clone(&done)));
        done.notified().await;
    });
}
