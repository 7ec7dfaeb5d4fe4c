//! Which descriptors a program may get, and where it is looked for.

use super::command::{Command, Stdio};
use crate::error::{Error, Result};
use crate::memory::try_list;
use crate::platform;
use std::ffi::{CStr, CString};

impl<'a> Command<'a> {
    /// Are the descriptors open that it shall get?
    pub fn check_descriptors(&self) -> Result<()> {
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
    if platform::is_open(fd) { Ok(()) } else { Err(Error::Sys(libc::EBADF)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::subprocess::Strings;

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
