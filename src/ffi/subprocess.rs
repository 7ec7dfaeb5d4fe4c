//! Programs as children of a loop.

use super::error::failed;
use super::future::{give, loop_future_t};
use super::guard::{guard, guard_or, kept, read_sized, store};
use super::transport::loop_transport_t;
use super::types::*;
use crate::callback::UserData;
use crate::error::{Error, Result};
use crate::platform;
use crate::services::subprocess::{
    self, Command, Functions, Identity, Process, Protocol, Refused, SHELL, Stdio, Strings,
};
use crate::text::Text;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A program that was started: asyncio's SubprocessTransport. Opaque and
/// reference-counted: whoever gets one in a ret_ argument has one reference,
/// which loop_process_unref gives back. It belongs to one loop and to that
/// loop's thread; only references are counted on any thread.
///
/// A process goes on when its last reference goes; only the pipes that nobody
/// took are closed then. Its loop takes its exit status in any case: nothing
/// else may wait for it. A loop that is closed waits no more, and kills nobody.
/// In a forked child it cannot be used, and its end is the parent's business.
///
/// Windows: programs cannot have pipes to their parent, nor sessions, user and
/// group ids, a file mode creation mask, descriptors beside their streams:
/// LOOP_ENOTSUP. A process group can only be a new one (Ctrl-C is off in it, and
/// SIGBREAK can be sent to it). Arguments become one line by the rules of
/// Python's list2cmdline.
pub struct loop_process_t(#[allow(dead_code)] Process);

/// The stream leads where the parent's leads.
pub const LOOP_STDIO_INHERIT: u32 = 0;
/// The stream is a pipe to the parent: loop_process_get_pipe_fd. Not on Windows.
pub const LOOP_STDIO_PIPE: u32 = 1;
/// The stream is /dev/null, or NUL on Windows.
pub const LOOP_STDIO_DEVNULL: u32 = 2;
/// Standard error only: it leads where standard output leads.
pub const LOOP_STDIO_STDOUT: u32 = 3;
/// The stream is the descriptor `fd` of the parent, which stays the caller's. On
/// Windows the number of a HANDLE, of a file or a pipe, inheritable or not:
/// (int)(intptr_t)handle, or (int)_get_osfhandle(descriptor).
pub const LOOP_STDIO_FD: u32 = 4;

/// Where a standard stream of a program leads.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_stdio_t {
    /// LOOP_STDIO_...
    pub kind: u32,
    /// With LOOP_STDIO_FD; else 0.
    pub fd: c_int,
}

/// Flag: descriptors that are not close-on-exec (Windows: inheritable handles)
/// stay open in the program; else all but the standard streams and pass_fds are
/// closed. asyncio: close_fds=False.
pub const LOOP_SUBPROCESS_KEEP_FDS: u32 = 1;
/// Flag: the program leads a new session. asyncio: start_new_session.
pub const LOOP_SUBPROCESS_NEW_SESSION: u32 = 2;
/// Flag: the program joins the process group `process_group`; 0: a new one.
pub const LOOP_SUBPROCESS_SET_PROCESS_GROUP: u32 = 4;
/// Flag: the program gets the user id `uid`.
pub const LOOP_SUBPROCESS_SET_UID: u32 = 8;
/// Flag: the program gets the group id `gid`.
pub const LOOP_SUBPROCESS_SET_GID: u32 = 16;
/// Flag: the program gets the supplementary groups `groups`.
pub const LOOP_SUBPROCESS_SET_GROUPS: u32 = 32;
/// Flag: the program gets the file mode creation mask `umask`.
pub const LOOP_SUBPROCESS_SET_UMASK: u32 = 64;

/// How to start a program. Set `size` to sizeof(loop_subprocess_options_t) and
/// everything else to zero, then what you want to change. Everything is borrowed
/// for the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_subprocess_options_t {
    /// sizeof(loop_subprocess_options_t).
    pub size: usize,
    /// The arguments, beginning with the program's name, ended by NULL.
    pub argv: *const *const c_char,
    /// The program, if it is not argv[0]: a path if it contains a slash, else a
    /// name that is looked for along the PATH of the program's environment. On
    /// Windows ".exe" may be left out, a backslash is a slash, the system's
    /// directories come after PATH and the current one is not searched; batch files are for loop_subprocess_shell (LOOP_ENOTSUP).
    pub file: *const c_char,
    /// The environment, "NAME=value" each, ended by NULL; NULL: the parent's.
    pub env: *const *const c_char,
    /// The working directory; NULL: the parent's. A relative path of the program
    /// is relative to it.
    pub cwd: *const c_char,
    /// Standard input, output and error.
    pub stdio: [loop_stdio_t; 3],
    /// Further descriptors that stay open in the program, with their numbers.
    pub pass_fds: *const c_int,
    /// How many.
    pub pass_fds_count: usize,
    /// LOOP_SUBPROCESS_... flags.
    pub flags: u32,
    /// With LOOP_SUBPROCESS_SET_PROCESS_GROUP.
    pub process_group: c_int,
    /// With LOOP_SUBPROCESS_SET_UID.
    pub uid: u32,
    /// With LOOP_SUBPROCESS_SET_GID.
    pub gid: u32,
    /// With LOOP_SUBPROCESS_SET_GROUPS.
    pub groups: *const u32,
    /// How many; 0: none.
    pub groups_count: usize,
    /// With LOOP_SUBPROCESS_SET_UMASK.
    pub umask: u32,
    /// 0.
    pub reserved: u32,
}

/// What a process calls. Set `size` to sizeof(loop_process_protocol_t) and what
/// you do not want to NULL. connection_made comes first; what the pipes bring,
/// their ends and the end of the process come in any order, so data may still
/// come after process_exited; connection_lost comes after all of them. `process`
/// is borrowed for the call. asyncio: SubprocessProtocol.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct loop_process_protocol_t {
    /// sizeof(loop_process_protocol_t).
    pub size: usize,
    /// The process runs; its pipes can be written to.
    pub connection_made:
        Option<unsafe extern "C-unwind" fn(process: *mut loop_process_t, user_data: *mut c_void)>,
    /// `count` bytes came from standard stream `fd` (1 or 2); borrowed for the
    /// call.
    pub pipe_data_received: Option<
        unsafe extern "C-unwind" fn(
            process: *mut loop_process_t,
            fd: c_int,
            data: *const c_void,
            count: usize,
            user_data: *mut c_void,
        ),
    >,
    /// The pipe to standard stream `fd` ended: 0 and NULL, or a code and a text.
    pub pipe_connection_lost: Option<
        unsafe extern "C-unwind" fn(
            process: *mut loop_process_t,
            fd: c_int,
            code: c_int,
            message: *const c_char,
            user_data: *mut c_void,
        ),
    >,
    /// The process ended: loop_process_returncode knows how.
    pub process_exited:
        Option<unsafe extern "C-unwind" fn(process: *mut loop_process_t, user_data: *mut c_void)>,
    /// The process and all of its pipes ended. `code` is 0, `message` is NULL.
    pub connection_lost: Option<
        unsafe extern "C-unwind" fn(
            process: *mut loop_process_t,
            code: c_int,
            message: *const c_char,
            user_data: *mut c_void,
        ),
    >,
    /// More waits to be sent to standard input than the transport's high-water
    /// mark: write no more.
    pub pause_writing:
        Option<unsafe extern "C-unwind" fn(process: *mut loop_process_t, user_data: *mut c_void)>,
    /// The low-water mark is reached: write again.
    pub resume_writing:
        Option<unsafe extern "C-unwind" fn(process: *mut loop_process_t, user_data: *mut c_void)>,
}

const _: () = assert!(size_of::<loop_process_protocol_t>() == size_of::<Functions>());

const ALL_FLAGS: u32 = 127;

/// A process the caller has a reference to, borrowed for the call.
///
/// # Safety
/// `pointer` is NULL or came from this library and still counts.
unsafe fn process(pointer: *const loop_process_t) -> Result<Arc<Process>> {
    if pointer.is_null() {
        return Err(Error::Invalid("process is NULL"));
    }
    // SAFETY: `loop_process_t` is how C sees a `Process` in an Arc.
    let process = unsafe { ManuallyDrop::new(Arc::from_raw(pointer.cast::<Process>())) };
    // Foreign code in the call may give the caller's reference back.
    Ok(Arc::clone(&process))
}

unsafe fn array<'a, T>(items: *const T, count: usize) -> Result<&'a [T]> {
    match (count, items.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(Error::Invalid("an array is NULL, its count is not 0")),
        _ => Ok(unsafe { std::slice::from_raw_parts(items, count) }),
    }
}

fn to_stdio(given: loop_stdio_t) -> Result<Stdio> {
    Ok(match given.kind {
        LOOP_STDIO_INHERIT => Stdio::Inherit,
        LOOP_STDIO_PIPE => Stdio::Pipe,
        LOOP_STDIO_DEVNULL => Stdio::Null,
        LOOP_STDIO_STDOUT => Stdio::Stdout,
        LOOP_STDIO_FD => Stdio::Fd(given.fd),
        _ => return Err(Error::Invalid("unknown loop_stdio_t.kind")),
    })
}

unsafe fn read(
    options: *const loop_subprocess_options_t,
) -> Result<Option<loop_subprocess_options_t>> {
    if options.is_null() {
        return Ok(None);
    }
    // SAFETY: plain data, for which zeroes are valid.
    let mut known: loop_subprocess_options_t = unsafe { std::mem::zeroed() };
    unsafe { read_sized(options.cast(), &mut known) }
        .ok_or(Error::Invalid(wrong_size!("loop_subprocess_options_t")))?;
    if known.flags & !ALL_FLAGS != 0 || known.reserved != 0 {
        return Err(Error::Invalid("loop_subprocess_options_t.flags are unknown"));
    }
    Ok(Some(known))
}

unsafe fn to_command<'a>(
    given: &loop_subprocess_options_t,
    file: &'a CStr,
    argv: Strings<'a>,
) -> Result<Command<'a>> {
    let has = |flag| given.flags & flag != 0;
    let [stdin, stdout, stderr] = given.stdio;
    let groups = match has(LOOP_SUBPROCESS_SET_GROUPS) {
        true => Some(unsafe { array(given.groups, given.groups_count)? }),
        false => None,
    };
    Ok(Command {
        env: unsafe { Strings::new(given.env) },
        cwd: unsafe { super::future::text(given.cwd) },
        stdio: [to_stdio(stdin)?, to_stdio(stdout)?, to_stdio(stderr)?],
        pass_fds: unsafe { array(given.pass_fds, given.pass_fds_count)? },
        close_fds: !has(LOOP_SUBPROCESS_KEEP_FDS),
        new_session: has(LOOP_SUBPROCESS_NEW_SESSION),
        process_group: has(LOOP_SUBPROCESS_SET_PROCESS_GROUP).then_some(given.process_group),
        identity: Identity {
            uid: has(LOOP_SUBPROCESS_SET_UID).then_some(given.uid),
            gid: has(LOOP_SUBPROCESS_SET_GID).then_some(given.gid),
            groups,
        },
        umask: has(LOOP_SUBPROCESS_SET_UMASK).then_some(given.umask),
        ..Command::new(file, argv)
    })
}

/// Says also what cannot be used, as asyncio does.
fn refused(errno: c_int, path: &CStr) -> Error {
    let path = Text::<200>::of_c_str(path);
    let text = Text::<256>::of(format_args!("{}: '{path}'", Error::Sys(errno)));
    // SAFETY: it ends with NUL, and lives here.
    failed(-errno, Some(unsafe { CStr::from_ptr(text.as_ptr()) }))
}

unsafe fn start(
    r#loop: *mut loop_t,
    command: &Command<'_>,
    protocol: Option<Protocol>,
    ret_process: *mut *mut loop_process_t,
) -> Result<c_int> {
    if ret_process.is_null() {
        return Err(Error::Invalid("ret_process is NULL"));
    }
    let process = subprocess::exec(&*unsafe { kept(r#loop)? }, command, protocol);
    let process = process.map_err(|why| match why {
        Refused::Directory(errno) => refused(errno, command.cwd.unwrap_or_default()),
        Refused::Program(errno) => refused(errno, command.file),
        Refused::Other(error) => error,
    })?;
    unsafe { store(ret_process, Arc::into_raw(process).cast_mut().cast())? };
    Ok(0)
}

unsafe fn to_protocol(
    given: *const loop_process_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
) -> Result<Protocol> {
    let user_data = UserData::new(user_data, destroy);
    if given.is_null() {
        return Err(Error::Invalid("protocol is NULL"));
    }
    let mut functions = Functions::NONE;
    // SAFETY: the caller passes a struct whose first field is its size; C sees
    // the functions with another name for the process.
    unsafe { read_sized(given.cast::<c_void>(), &mut functions) }
        .ok_or(Error::Invalid(wrong_size!("loop_process_protocol_t")))?;
    Ok(Protocol { functions, user_data })
}

unsafe fn exec(
    r#loop: *mut loop_t,
    options: *const loop_subprocess_options_t,
    protocol: Option<Protocol>,
    ret_process: *mut *mut loop_process_t,
) -> Result<c_int> {
    let given = unsafe { read(options)? }.ok_or(Error::Invalid("options is NULL"))?;
    let argv = unsafe { Strings::new(given.argv) }.ok_or(Error::Invalid("options.argv is NULL"))?;
    let first = argv.iter().next();
    let file = unsafe { super::future::text(given.file) }
        .or(first)
        .ok_or(Error::Invalid("options.argv has no program"))?;
    let command = unsafe { to_command(&given, file, argv)? };
    unsafe { start(r#loop, &command, protocol, ret_process) }
}

unsafe fn shell(
    r#loop: *mut loop_t,
    command: *const c_char,
    options: *const loop_subprocess_options_t,
    protocol: Option<Protocol>,
    ret_process: *mut *mut loop_process_t,
) -> Result<c_int> {
    if command.is_null() {
        return Err(Error::Invalid("command is NULL"));
    }
    let argv = [SHELL.as_ptr(), c"-c".as_ptr(), command, std::ptr::null()];
    // SAFETY: ended by null, and longer there than the call.
    let arguments = unsafe { Strings::new(argv.as_ptr()) }.ok_or(Error::Internal)?;
    let what = unsafe { super::future::text(command) };
    let command = match unsafe { read(options)? } {
        Some(given) if !given.argv.is_null() => {
            return Err(Error::Invalid("options.argv must be NULL for a shell"));
        }
        Some(given) => {
            let file = unsafe { super::future::text(given.file) }.unwrap_or(SHELL);
            Command { shell: what, ..unsafe { to_command(&given, file, arguments)? } }
        }
        None => Command { shell: what, ..Command::new(SHELL, arguments) },
    };
    unsafe { start(r#loop, &command, protocol, ret_process) }
}

/// Starts a program: in *ret_process, with one reference. It runs when this
/// returns; what prevents that is told at once: -ENOENT, -EACCES, -ENOEXEC, ...
/// for the program, -ENOENT or -ENOTDIR for the directory too (the message says
/// which of them), -EPERM for rights,
/// and nothing is left of it. It begins with default signal dispositions and
/// none blocked. This is no fork for this process: no fork handler runs.
///
/// LOOP_EINVAL (NULL, wrong options), -EBADF (a descriptor), LOOP_ECLOSED,
/// LOOP_EFORKED, LOOP_EWRONG_THREAD, -EMFILE, -EAGAIN, -ENOMEM. [loop thread]
/// asyncio: create_subprocess_exec(), loop.subprocess_exec().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_subprocess_exec(
    r#loop: *mut loop_t,
    options: *const loop_subprocess_options_t,
    ret_process: *mut *mut loop_process_t,
) -> c_int {
    guard(|| unsafe { exec(r#loop, options, None, ret_process) })
}

/// loop_subprocess_exec for "/bin/sh -c command". `options` may be NULL; its argv
/// must be NULL. A command that cannot be found is the shell's to report: it
/// ends with 127. Windows: %COMSPEC% /c "command".
/// asyncio: create_subprocess_shell(), loop.subprocess_shell().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_subprocess_shell(
    r#loop: *mut loop_t,
    command: *const c_char,
    options: *const loop_subprocess_options_t,
    ret_process: *mut *mut loop_process_t,
) -> c_int {
    guard(|| unsafe { shell(r#loop, command, options, None, ret_process) })
}

/// loop_subprocess_exec with a protocol, which is told what the process does, on
/// the loop's thread. Its pipes are transports then, reading from the start; see
/// loop_process_get_pipe_transport. The functions are copied. The loop keeps the
/// process until connection_lost. `destroy` runs after that; if the loop is
/// closed before, with the last reference to the process, on that thread; or when
/// this call fails. LOOP_EINVAL also for a protocol that is NULL or has a wrong
/// size. [loop thread] asyncio: loop.subprocess_exec(protocol_factory, ...).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_subprocess_exec_protocol(
    r#loop: *mut loop_t,
    options: *const loop_subprocess_options_t,
    protocol: *const loop_process_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_process: *mut *mut loop_process_t,
) -> c_int {
    guard(|| unsafe {
        let protocol = to_protocol(protocol, user_data, destroy)?;
        exec(r#loop, options, Some(protocol), ret_process)
    })
}

/// loop_subprocess_shell with a protocol, by the rules of
/// loop_subprocess_exec_protocol. asyncio: loop.subprocess_shell().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_subprocess_shell_protocol(
    r#loop: *mut loop_t,
    command: *const c_char,
    options: *const loop_subprocess_options_t,
    protocol: *const loop_process_protocol_t,
    user_data: *mut c_void,
    destroy: loop_destroy_t,
    ret_process: *mut *mut loop_process_t,
) -> c_int {
    guard(|| unsafe {
        let protocol = to_protocol(protocol, user_data, destroy)?;
        shell(r#loop, command, options, Some(protocol), ret_process)
    })
}

/// Takes one more reference; returns `process`. NULL is allowed. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_ref(process: *mut loop_process_t) -> *mut loop_process_t {
    if !process.is_null() {
        unsafe { Arc::increment_strong_count(process.cast::<Process>()) };
    }
    process
}

/// Gives a reference back. With the last one the pipes that nobody took are
/// closed; the process goes on. NULL is allowed. [any thread], also after close
/// and after fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_unref(process: *mut loop_process_t) {
    if !process.is_null() {
        guard(|| {
            drop(unsafe { Arc::from_raw(process.cast::<Process>()) });
            Ok(0)
        });
    }
}

/// The process's loop, borrowed: valid as long as the process. [any thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_get_loop(process: *mut loop_process_t) -> *mut loop_t {
    guard_or(std::ptr::null_mut(), || {
        let process = unsafe { self::process(process)? };
        Ok(std::ptr::from_ref(process.event_loop()).cast_mut().cast())
    })
}

/// The process id, also when the process has ended and the number may mean
/// another one. LOOP_EINVAL. [any thread] asyncio: transport.get_pid().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_pid(process: *mut loop_process_t) -> c_int {
    guard(|| Ok(unsafe { self::process(process)? }.pid()))
}

/// 0 and how the process ended in *ret_returncode: its exit status, or the
/// negative number of the signal that ended it, or 255 if somebody else took the
/// status; on Windows its exit code, all 32 bits. LOOP_EINVALID_STATE while it
/// runs, as far as the loop has looked; LOOP_EINVAL, LOOP_EWRONG_THREAD,
/// LOOP_EFORKED. [loop thread], also after close. asyncio: transport.get_returncode().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_returncode(
    process: *mut loop_process_t,
    ret_returncode: *mut c_int,
) -> c_int {
    guard(|| {
        let code = unsafe { self::process(process)? }.returncode()?;
        let code = code.ok_or(Error::InvalidState("the process is still running"))?;
        unsafe { store(ret_returncode, code).map(|()| 0) }
    })
}

/// A future in *ret_future that is done when the process has ended; its result
/// is (void *)(intptr_t)returncode. Several may wait; cancelling one does nothing
/// to the process nor to the others. Beware of pipes that nobody reads: the
/// process may wait for you. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EWRONG_THREAD,
/// LOOP_EFORKED, -ENOMEM. [loop thread] asyncio: process.wait().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_wait(
    process: *mut loop_process_t,
    ret_future: *mut *mut loop_future_t,
) -> c_int {
    guard(|| unsafe { give(self::process(process)?.wait()?, ret_future) })
}

/// Sends a signal to the process, never to another one that got its number.
/// 0 also for a process that has ended and that the loop has not looked at yet;
/// then -ESRCH (asyncio's ProcessLookupError). -EINVAL (no signal), -EPERM,
/// LOOP_EINVAL, LOOP_EWRONG_THREAD, LOOP_EFORKED. Windows: 9 and SIGTERM end it by
/// force, with exit code 1; SIGBREAK (21) is Ctrl-Break for a process that leads
/// a group, else, or without a console, -errno of the system; other signals are
/// LOOP_ENOTSUP. [loop thread], also after
/// close. asyncio: transport.send_signal().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_send_signal(
    process: *mut loop_process_t,
    signum: c_int,
) -> c_int {
    guard(|| unsafe { self::process(process)? }.send_signal(signum).map(|()| 0))
}

/// loop_process_send_signal with SIGTERM. asyncio: transport.terminate().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_terminate(process: *mut loop_process_t) -> c_int {
    unsafe { loop_process_send_signal(process, platform::process::SIGTERM) }
}

/// loop_process_send_signal with SIGKILL. asyncio: transport.kill().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_kill(process: *mut loop_process_t) -> c_int {
    unsafe { loop_process_send_signal(process, platform::process::SIGKILL) }
}

/// Closes the pipes that nobody took, and kills the process if it still runs; the
/// loop still waits for its end. Closing again is no error. LOOP_EINVAL,
/// LOOP_EWRONG_THREAD, LOOP_EFORKED. [loop thread], also after close of the loop.
/// asyncio: transport.close().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_close(process: *mut loop_process_t) -> c_int {
    guard(|| unsafe { self::process(process)? }.close().map(|()| 0))
}

/// Our end of the pipe to standard stream 0, 1 or 2: a descriptor that does not
/// block and is close-on-exec. It stays the process's: remove it from the loop
/// before the process is closed or gone. A transport of it:
/// loop_process_take_pipe_fd, then loop_connect_read_pipe or
/// loop_connect_write_pipe; loop_sock_... is for sockets only. LOOP_EINVAL if
/// there is no such pipe, or not any more, or it is a transport's (the process has a protocol);
/// LOOP_EWRONG_THREAD, LOOP_EFORKED. [loop thread]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_get_pipe_fd(
    process: *mut loop_process_t,
    stream: c_int,
) -> c_int {
    guard(|| unsafe { self::process(process)? }.pipe_fd(to_stream(stream)?))
}

/// The same, and the descriptor becomes the caller's, who closes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_take_pipe_fd(
    process: *mut loop_process_t,
    stream: c_int,
) -> c_int {
    guard(|| unsafe { self::process(process)? }.take_pipe_fd(to_stream(stream)?))
}

/// The transport to standard stream 0, 1 or 2 of a process with a protocol, or
/// NULL. Borrowed: valid as long as the process. Standard input is written to;
/// the others may be paused. [loop thread] asyncio: transport.get_pipe_transport().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loop_process_get_pipe_transport(
    process: *mut loop_process_t,
    stream: c_int,
) -> *mut loop_transport_t {
    guard_or(std::ptr::null_mut(), || {
        let transport = unsafe { self::process(process)? }.pipe_transport(to_stream(stream)?)?;
        Ok(Arc::as_ptr(&transport).cast_mut().cast())
    })
}

fn to_stream(stream: c_int) -> Result<usize> {
    usize::try_from(stream).map_err(|_| Error::Invalid("the process has no such pipe"))
}

versioned!(
    "loop_subprocess_exec",
    "loop_subprocess_shell",
    "loop_subprocess_exec_protocol",
    "loop_subprocess_shell_protocol",
    "loop_process_ref",
    "loop_process_unref",
    "loop_process_get_loop",
    "loop_process_pid",
    "loop_process_returncode",
    "loop_process_wait",
    "loop_process_send_signal",
    "loop_process_terminate",
    "loop_process_kill",
    "loop_process_close",
    "loop_process_get_pipe_fd",
    "loop_process_take_pipe_fd",
    "loop_process_get_pipe_transport",
);
