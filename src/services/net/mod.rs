//! Servers, outgoing connections and datagram endpoints: everything that ends
//! in a transport, and the sockets it needs on the way there.

mod accept;
mod bind;
mod connect;
mod endpoint;
mod race;
mod registry;
mod resolving;
mod server;
mod steps;
mod trouble;
mod wait;

pub use bind::Place;
pub use connect::Target;
pub use endpoint::Endpoint;
pub use resolving::Name;
pub use server::{DEFAULT_BACKLOG, ProtocolFactory, Server};

use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, Kept};
use crate::platform;
use crate::platform::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use crate::services::future::{Future, Outcome};
use crate::services::transport::datagram::{self, DatagramProtocol};
use crate::services::transport::{Protocol, Transport};
use crate::socket;
use crate::socket_address::NO_UNIX_SOCKETS;
use std::ffi::{c_int, c_void};
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use trouble::{Attempt, Trouble};

/// A socket of the host's that a call takes over once it succeeds: it is
/// `take`n when the steps begin, and stays the host's if they never do.
pub struct HostSocket(RawFd);

impl HostSocket {
    /// Checks that it is a socket of that kind, and no transport's.
    pub fn new(
        event_loop: &EventLoop,
        fd: RawFd,
        kind: c_int,
        mismatch: &'static str,
    ) -> Result<Self> {
        if fd < 0 {
            return Err(Error::BadDescriptor(fd));
        }
        event_loop.refuse_claimed(fd)?;
        // SAFETY: the host owns it and lends it for this call.
        let socket = unsafe { BorrowedFd::borrow_raw(fd) };
        if socket::kind(socket)? != kind {
            return Err(Error::Invalid(mismatch));
        }
        Ok(HostSocket(fd))
    }

    fn take(self) -> Attempt<OwnedFd> {
        // SAFETY: the host gave it away with a call that succeeds.
        let socket = unsafe { OwnedFd::from_raw_fd(self.0) };
        socket::make_nonblocking(socket.as_fd())?;
        Ok(socket)
    }
}

/// A result that holds a reference, as long as the future has it.
fn reference<T: 'static>(value: Arc<T>) -> Outcome {
    unsafe extern "C-unwind" fn release<T>(data: *mut c_void) {
        // SAFETY: the reference made below.
        drop(unsafe { Arc::from_raw(data.cast::<T>().cast_const()) });
    }
    let data = Arc::into_raw(value).cast_mut().cast();
    Outcome::Result(UserData::new(data, Some(release::<T>)))
}

fn outcome<T: 'static>(attempt: Attempt<Arc<T>>) -> Outcome {
    match attempt {
        Ok(value) => reference(value),
        Err(trouble) => trouble.outcome(),
    }
}

/// Does something with a value that nobody came to claim.
struct Unclaimed<T, F: FnMut(&Arc<T>)>(Option<Arc<T>>, F);

impl<T, F: FnMut(&Arc<T>)> Unclaimed<T, F> {
    fn claim(mut self) -> Attempt<Arc<T>> {
        self.0.take().ok_or_else(|| Error::Internal.into())
    }
}

impl<T, F: FnMut(&Arc<T>)> Drop for Unclaimed<T, F> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            (self.1)(&value);
        }
    }
}

/// asyncio's `create_server` and `create_unix_server`: a future whose result is
/// the `Server`.
pub fn create_server(
    event_loop: &EventLoop,
    place: Place,
    backlog: c_int,
    serves: bool,
    factory: Arc<dyn ProtocolFactory>,
) -> Result<Arc<Future>> {
    match &place {
        Place::Unix { .. } if !platform::HAS_UNIX_SOCKETS => return Err(NO_UNIX_SOCKETS),
        Place::Names { reuse_port, .. } => check_reuse_port(*reuse_port)?,
        _ => {}
    }
    let kept = event_loop.keep();
    let open = async move {
        let sockets = bind::bound_sockets(&kept, place).await?;
        let server = Server::new(&kept, sockets, backlog, factory)?;
        let unclaimed = Unclaimed(Some(server.clone()), |server: &Arc<Server>| {
            let _ = server.close();
        });
        if serves {
            server.start_serving()?;
        }
        wait::next_turn(&kept).await?;
        unclaimed.claim()
    };
    steps::begin(event_loop, async move { outcome(open.await) })
}

/// asyncio's `create_connection` and `create_unix_connection`: a future whose
/// result is the `Transport`.
pub fn create_connection(
    event_loop: &EventLoop,
    target: Target,
    timeout_ns: u64,
    protocol: Protocol,
) -> Result<Arc<Future>> {
    let kept = event_loop.keep();
    let open = async move {
        let socket = {
            let connected = connect::connected_socket(&kept, target);
            in_time(&kept, timeout_ns, connected).await?
        };
        let transport = server::attach(&kept, socket, protocol, None)?;
        claimed(&kept, transport).await
    };
    steps::begin(event_loop, async move { outcome(open.await) })
}

/// asyncio's `create_datagram_endpoint`: a future whose result is the `Transport`.
pub fn create_datagram_endpoint(
    event_loop: &EventLoop,
    endpoint: Endpoint,
    protocol: DatagramProtocol,
) -> Result<Arc<Future>> {
    match &endpoint {
        Endpoint::Unix { .. } if !platform::HAS_UNIX_SOCKETS => return Err(NO_UNIX_SOCKETS),
        Endpoint::Names { reuse_port, .. } => check_reuse_port(*reuse_port)?,
        _ => {}
    }
    let kept = event_loop.keep();
    let open = async move {
        let (socket, remote) = endpoint::opened(&kept, endpoint).await?;
        let transport = datagram::open(&kept, socket, remote, protocol)?;
        claimed(&kept, transport).await
    };
    steps::begin(event_loop, async move { outcome(open.await) })
}

/// Several sockets on one port are not to be had everywhere.
fn check_reuse_port(is_wanted: bool) -> Result<()> {
    match platform::REUSE_PORT {
        None if is_wanted => Err(Error::Unsupported("reuse_port not supported by socket module")),
        _ => Ok(()),
    }
}

/// The transport once connection_made was called.
async fn claimed(event_loop: &Kept, transport: Arc<Transport>) -> Attempt<Arc<Transport>> {
    let unclaimed = Unclaimed(Some(transport), |transport: &Arc<Transport>| {
        let _ = transport.operations().close(transport);
    });
    wait::next_turn(event_loop).await?;
    unclaimed.claim()
}

/// What `work` yields, if that does not take longer than `timeout_ns`; 0: as
/// long as it takes.
async fn in_time<T>(
    event_loop: &Kept,
    timeout_ns: u64,
    work: impl std::future::Future<Output = Attempt<T>>,
) -> Attempt<T> {
    let mut work = pin!(work);
    if timeout_ns == 0 {
        return work.await;
    }
    let mut limit = pin!(wait::sleep(event_loop, timeout_ns));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Pending => limit
            .as_mut()
            .poll(context)
            .map(|_| Err(Trouble::new(-libc::ETIMEDOUT, "create_connection timed out"))),
        ready => ready,
    })
    .await
}
