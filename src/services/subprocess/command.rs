//! What is to be started: a program, its arguments and its surroundings, as the
//! host gave them, borrowed until it runs.

use crate::error::{Error, Result};
use crate::memory::try_list;
use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;

/// Strings of the host, ended by a null pointer.
#[derive(Clone, Copy)]
pub struct Strings<'a>(*const *const c_char, PhantomData<&'a CStr>);

impl<'a> Strings<'a> {
    /// None for null.
    ///
    /// # Safety
    /// `list` is null or such a list, valid for `'a`.
    pub unsafe fn new(list: *const *const c_char) -> Option<Self> {
        (!list.is_null()).then_some(Strings(list, PhantomData))
    }

    /// As it is.
    pub fn as_ptr(self) -> *const *const c_char {
        self.0
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = &'a CStr> {
        let mut next = self.0;
        std::iter::from_fn(move || {
            // SAFETY: not beyond the null pointer that ends the list.
            unsafe {
                let string = *next;
                if string.is_null() {
                    return None;
                }
                next = next.add(1);
                Some(CStr::from_ptr(string))
            }
        })
    }
}

/// Where a standard stream of the child leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// Where the parent's leads.
    Inherit,
    /// To the parent, by a pipe.
    Pipe,
    /// Nowhere: /dev/null.
    Null,
    /// Standard error only: where standard output leads.
    Stdout,
    /// To a descriptor of the parent.
    Fd(i32),
}

/// Whose rights the child gets; none: the parent's.
#[derive(Clone, Copy, Default)]
pub struct Identity<'a> {
    /// The user.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
    /// The supplementary groups.
    pub groups: Option<&'a [u32]>,
}

impl Identity<'_> {
    /// Is it another one than the parent's?
    pub fn changes(&self) -> bool {
        self.uid.is_some() || self.gid.is_some() || self.groups.is_some()
    }
}

/// A program to start.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    /// The program: a path, or a name to be looked for.
    pub file: &'a CStr,
    /// Its arguments, the first being its name.
    pub argv: Strings<'a>,
    /// Its environment; none: the parent's.
    pub env: Option<Strings<'a>>,
    /// Its working directory; none: the parent's.
    pub cwd: Option<&'a CStr>,
    /// Its standard input, output and error.
    pub stdio: [Stdio; 3],
    /// Descriptors that stay open in it, with their numbers.
    pub pass_fds: &'a [i32],
    /// Is everything else closed, or only what is close-on-exec?
    pub close_fds: bool,
    /// Does it lead a new session?
    pub new_session: bool,
    /// The process group it joins; 0: a new one of its own.
    pub process_group: Option<i32>,
    /// Whose rights it gets.
    pub identity: Identity<'a>,
    /// Its file mode creation mask.
    pub umask: Option<u32>,
}

impl<'a> Command<'a> {
    /// A program that inherits all but descriptors.
    pub fn new(file: &'a CStr, argv: Strings<'a>) -> Self {
        Command {
            file,
            argv,
            env: None,
            cwd: None,
            stdio: [Stdio::Inherit; 3],
            pass_fds: &[],
            close_fds: true,
            new_session: false,
            process_group: None,
            identity: Identity::default(),
            umask: None,
        }
    }

    /// Can this be done at all?
    pub fn check(&self) -> Result<()> {
        let [stdin, stdout, _] = self.stdio;
        if stdin == Stdio::Stdout || stdout == Stdio::Stdout {
            return Err(Error::Invalid("only stderr can go where stdout goes"));
        }
        for stdio in self.stdio {
            if let Stdio::Fd(fd) = stdio {
                check_open(fd)?;
            }
        }
        self.pass_fds.iter().try_for_each(|&fd| check_open(fd))
    }

    /// The paths to try: the program's, or one for each directory of the path of
    /// the environment it gets.
    pub fn candidates(&self) -> Result<Vec<CString>> {
        let name = self.file.to_bytes();
        let mut candidates = Vec::new();
        if name.contains(&b'/') || name.is_empty() {
            push(&mut candidates, name)?;
            return Ok(candidates);
        }
        for directory in self.search_path().split(|&byte| byte == b':') {
            let mut path = Vec::new();
            path.try_reserve_exact(directory.len() + name.len() + 2)
                .map_err(|_| Error::NO_MEMORY)?;
            path.extend_from_slice(directory);
            if !directory.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            push(&mut candidates, &path)?;
        }
        Ok(candidates)
    }

    fn search_path(&self) -> &'a [u8] {
        let path = match self.env {
            Some(env) => env.iter().find_map(|entry| entry.to_bytes().strip_prefix(b"PATH=")),
            None => {
                // SAFETY: a C string of the environment, valid until somebody
                // changes it, which no host may do while others read it.
                let value = unsafe { libc::getenv(c"PATH".as_ptr()) };
                (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_bytes())
            }
        };
        path.unwrap_or(b"/bin:/usr/bin")
    }
}

fn push(candidates: &mut Vec<CString>, path: &[u8]) -> Result<()> {
    candidates.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
    let mut copy = try_list(path.len() + 1)?;
    copy.extend_from_slice(path);
    copy.push(0);
    let path = CString::from_vec_with_nul(copy);
    candidates.push(path.map_err(|_| Error::Invalid("a path holds a NUL"))?);
    Ok(())
}

fn check_open(fd: i32) -> Result<()> {
    if fd < 0 {
        return Err(Error::BadDescriptor(fd));
    }
    // SAFETY: asks for a flag; any number may be asked about.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        Err(Error::Sys(libc::EBADF))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(file: &CStr, path: &CStr) -> Vec<String> {
        let env = [path.as_ptr(), std::ptr::null()];
        let argv = [file.as_ptr(), std::ptr::null()];
        // SAFETY: both end with null and outlive the command.
        let (argv, env) =
            unsafe { (Strings::new(argv.as_ptr()).unwrap(), Strings::new(env.as_ptr())) };
        let command = Command { env, ..Command::new(file, argv) };
        command.candidates().unwrap().into_iter().map(|path| path.into_string().unwrap()).collect()
    }

    #[test]
    fn names_are_looked_for_in_the_childs_path() {
        assert_eq!(candidates(c"sh", c"PATH=/a:/b/c::"), ["/a/sh", "/b/c/sh", "sh", "sh"]);
        assert_eq!(candidates(c"sh", c"PATHS=/a"), ["/bin/sh", "/usr/bin/sh"]);
    }

    #[test]
    fn paths_are_taken_as_they_are() {
        assert_eq!(candidates(c"./sh", c"PATH=/a:/b"), ["./sh"]);
        assert_eq!(candidates(c"/bin/sh", c"PATH=/a:/b"), ["/bin/sh"]);
    }
}
