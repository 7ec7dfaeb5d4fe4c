//! What asyncio gives a program beside the loop itself. Each service keeps its
//! state in objects of its own or attached to a loop, and uses the loop by its
//! public methods only. Everything that takes time yields a `future`.

pub mod children;
pub mod combine;
pub mod concurrent;
pub mod dns;
pub mod executor;
pub mod finalizers;
pub mod future;
pub mod net;
pub mod signals;
pub mod sockets;
pub mod subprocess;
pub mod task;
pub mod transport;
pub mod watchdog;
