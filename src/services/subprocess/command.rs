//! What is to be started: a program, its arguments and its surroundings, as the
//! host gave them, borrowed until it runs.

use crate::error::{Error, Result};
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;

/// What runs the commands of a shell. On Windows the name of none: the variable
/// COMSPEC has it.
pub const SHELL: &CStr = if cfg!(windows) { c"" } else { c"/bin/sh" };

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
    /// What a shell is to do; `argv` says the same to a shell that takes
    /// arguments one by one.
    pub shell: Option<&'a CStr>,
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
            shell: None,
        }
    }

    /// Can its standard streams lead there?
    pub fn check_streams(&self) -> Result<()> {
        match self.stdio {
            [Stdio::Stdout, ..] | [_, Stdio::Stdout, _] => {
                Err(Error::Invalid("only stderr can go where stdout goes"))
            }
            _ => Ok(()),
        }
    }
}
