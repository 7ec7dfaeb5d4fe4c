//! What a loop is made with.

use crate::clock::Clock;

/// How descriptors are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The platform's best.
    Auto,
    /// Linux.
    Epoll,
    /// The BSDs and macOS.
    Kqueue,
    /// Windows.
    Iocp,
    /// Every other Unix.
    Poll,
}

impl Backend {
    /// Can this build use it?
    pub fn is_supported(self) -> bool {
        self == Backend::Auto || self.name() == NAME
    }

    /// What asyncio's users call it.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Auto => NAME,
            Backend::Epoll => "epoll",
            Backend::Kqueue => "kqueue",
            Backend::Iocp => "iocp",
            Backend::Poll => "poll",
        }
    }
}

const NAME: &str = if cfg!(backend = "epoll") {
    "epoll"
} else if cfg!(backend = "kqueue") {
    "kqueue"
} else if cfg!(backend = "iocp") {
    "iocp"
} else {
    "poll"
};

/// A loop's settings.
pub struct Options {
    /// How descriptors are watched.
    pub backend: Backend,
    /// A wait for a timer may end this much late, so that timers share wake-ups.
    pub timer_slack_ns: u64,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Options { backend: Backend::Auto, timer_slack_ns: 0, clock: Clock::Monotonic }
    }
}
