//! Starts a program in a new process of Windows. It inherits its standard
//! streams and no other handle, unless the host wants it to.

use super::command::{Command, Stdio};
use super::command_line;
use super::find_program::{self, Kind};
use super::spawned::{Refused, Spawned};
use super::standard_handles::StandardHandles;
use super::wide::{self, Wide};
use crate::error::{Error, Result};
use crate::memory::{try_collect, try_list};
use crate::platform;
use crate::platform::process::SIGKILL;
use crate::services::children::{self, Process};
use std::ffi::c_void;
use std::io;
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::ptr;
use windows_sys::Win32::Foundation::{CloseHandle, ERROR_DIRECTORY, HANDLE};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
    DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT, InitializeProcThreadAttributeList,
    LPPROC_THREAD_ATTRIBUTE_LIST, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROCESS_INFORMATION,
    STARTF_USESTDHANDLES, STARTUPINFOEXW, UpdateProcThreadAttribute,
};

/// Starts the program, or says why that is impossible; then nothing is left of it.
pub fn spawn(command: &Command<'_>) -> std::result::Result<Spawned, Refused> {
    command.check_streams()?;
    check_support(command)?;
    let cwd = command.cwd.map(|cwd| wide::of(&[wide::utf8(cwd)?])).transpose()?;
    match cwd.as_ref().map(find_program::kind) {
        Some(Kind::Nothing) => return Err(Refused::Directory(libc::ENOENT)),
        Some(Kind::File) => return Err(Refused::Directory(libc::ENOTDIR)),
        Some(Kind::Directory) | None => {}
    }
    let (program, line) = what_to_run(command)?;
    if line.len() > command_line::LONGEST {
        return Err(Refused::Program(libc::E2BIG));
    }
    let environment = command.env.map(command_line::environment).transpose()?;
    let standard = StandardHandles::new(command.stdio)?;
    let plan = Plan {
        program,
        line,
        cwd,
        environment,
        new_group: command.process_group.is_some(),
        keeps_handles: !command.close_fds,
    };
    let created = start(plan, &standard)?;
    // SAFETY: just made, and nobody else's. Of the thread nothing is wanted.
    let handle = unsafe {
        CloseHandle(created.hThread);
        OwnedHandle::from_raw_handle(created.hProcess)
    };
    let pidfd = Some(Process::new(handle)?);
    Ok(Spawned { pid: created.dwProcessId as i32, pidfd, pipes: [None, None, None] })
}

/// Ends a program that was started in vain.
pub fn end(pid: i32, process: Option<&Process>) {
    let _ = children::send_signal(pid, process, SIGKILL);
    children::take_status(pid, process);
}

/// What Windows has no word for.
fn check_support(command: &Command<'_>) -> Result<()> {
    let identity = &command.identity;
    Err(Error::Unsupported(match command {
        _ if command.stdio.contains(&Stdio::Pipe) => "Windows: no pipes to programs",
        _ if !command.pass_fds.is_empty() => "Windows: no descriptors are passed to programs",
        _ if command.new_session => "Windows: no sessions",
        _ if command.process_group.is_some_and(|group| group != 0) => {
            "Windows: a program can only lead a process group of its own"
        }
        _ if identity.changes() => "Windows: no user ids and group ids",
        _ if command.umask.is_some() => "Windows: no file mode creation mask",
        _ => return Ok(()),
    }))
}

/// The program and its line.
fn what_to_run(command: &Command<'_>) -> std::result::Result<(Wide, Wide), Refused> {
    match command.shell {
        Some(what) if command.file.is_empty() => {
            let shell = find_program::shell()?;
            Ok((wide::of(&[&shell])?, command_line::of_shell(&shell, wide::utf8(what)?)?))
        }
        Some(what) => {
            let shell = wide::utf8(command.file)?;
            let line = command_line::of_shell(shell, wide::utf8(what)?)?;
            Ok((find_program::find(command)?, line))
        }
        None => Ok((find_program::find(command)?, command_line::join(command.argv)?)),
    }
}

/// All that the system is told, but for the streams.
struct Plan {
    program: Wide,
    line: Wide,
    cwd: Option<Wide>,
    environment: Option<Wide>,
    new_group: bool,
    keeps_handles: bool,
}

fn start(
    mut plan: Plan,
    standard: &StandardHandles,
) -> std::result::Result<PROCESS_INFORMATION, Refused> {
    let inherited: Vec<HANDLE> = try_collect(standard.list())?;
    let only = Only::new(&inherited)?;
    let mut flags = CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
    if plan.new_group {
        flags |= CREATE_NEW_PROCESS_GROUP;
    }
    let inherits = plan.keeps_handles || !inherited.is_empty();
    // SAFETY: texts end with 0 and live here, like the list of handles; zeroes
    // are valid in both structs.
    let (created, failure) = unsafe {
        let mut startup: STARTUPINFOEXW = std::mem::zeroed();
        startup.StartupInfo.cb = size_of::<STARTUPINFOEXW>() as u32;
        startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
        [
            startup.StartupInfo.hStdInput,
            startup.StartupInfo.hStdOutput,
            startup.StartupInfo.hStdError,
        ] = standard.raw();
        if !plan.keeps_handles && !inherited.is_empty() {
            startup.lpAttributeList = only.as_ptr();
        }
        let mut created: PROCESS_INFORMATION = std::mem::zeroed();
        let done = CreateProcessW(
            plan.program.as_ptr(),
            plan.line.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            i32::from(inherits),
            flags,
            plan.environment.as_ref().map_or(ptr::null(), |block| block.as_ptr().cast()),
            plan.cwd.as_ref().map_or(ptr::null(), |cwd| cwd.as_ptr()),
            &raw const startup.StartupInfo,
            &mut created,
        );
        (created, (done == 0).then(io::Error::last_os_error))
    };
    match failure {
        None => Ok(created),
        Some(error) => Err(refused(error)),
    }
}

/// What the system's refusal is about.
fn refused(error: io::Error) -> Refused {
    let code = error.raw_os_error().unwrap_or(0);
    match platform::errno_of(code) {
        errno if code == ERROR_DIRECTORY as i32 => Refused::Directory(errno),
        errno @ (libc::ENOENT | libc::EACCES | libc::EPERM | libc::ENOEXEC) => {
            Refused::Program(errno)
        }
        _ => Refused::Other(error.into()),
    }
}

/// The list of the only handles that a process inherits.
struct Only {
    /// As the system lays it out, which wants it aligned as a pointer.
    list: Vec<usize>,
}

impl Only {
    /// `handles` must be there as long as the list is used.
    fn new(handles: &[HANDLE]) -> Result<Self> {
        let mut size = 0;
        // SAFETY: asks for the size only.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 1, 0, &mut size) };
        let words = size.div_ceil(size_of::<usize>());
        let mut list: Vec<usize> = try_list(words)?;
        list.resize(words, 0);
        let place = list.as_mut_ptr().cast::<c_void>();
        // SAFETY: the list has the size that was asked for.
        if unsafe { InitializeProcThreadAttributeList(place, 1, 0, &mut size) } == 0 {
            return Err(io::Error::last_os_error().into());
        }
        let only = Only { list };
        if handles.is_empty() {
            return Ok(only);
        }
        let what = PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize;
        let bytes = size_of_val(handles);
        let (value, none) = (handles.as_ptr().cast(), ptr::null_mut());
        // SAFETY: the list has room for one attribute, and the caller promised
        // that the handles stay.
        let updated = unsafe {
            UpdateProcThreadAttribute(only.as_ptr(), 0, what, value, bytes, none, ptr::null())
        };
        if updated == 0 {
            return Err(io::Error::last_os_error().into());
        }
        Ok(only)
    }

    fn as_ptr(&self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.list.as_ptr().cast_mut().cast()
    }
}

impl Drop for Only {
    fn drop(&mut self) {
        // SAFETY: it was initialized.
        unsafe { DeleteProcThreadAttributeList(self.as_ptr()) };
    }
}
