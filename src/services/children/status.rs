//! What there is to know of a child.

/// asyncio's return code for a child of which nobody can know how it ended.
pub const UNKNOWN: i32 = 255;

/// No return code: the child lives.
pub const RUNNING: i32 = i32::MIN;

/// What a child was found to do.
pub enum Status {
    /// It lives.
    Running,
    /// It ended, and on Unix its number may mean another process from now on.
    Ended(i32),
}
