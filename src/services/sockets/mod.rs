//! asyncio's `loop.sock_*`: one operation on a socket of the host's.
//!
//! Each is tried at once and, where the socket is not ready, again whenever the
//! loop says that it is. One operation at a time may wait for each direction of
//! a descriptor; another one is refused, where asyncio forgets the first.

mod accept;
mod address;
mod connect;
mod receive;
mod send;
mod sendfile;
mod system;
mod waiting;

pub use accept::{Accepted, accept};
pub use address::Address;
pub use connect::connect;
pub use receive::{Received, receive, receive_from, receive_from_into, receive_into};
pub use send::{Data, send_all, send_to};
pub use sendfile::send_file;
