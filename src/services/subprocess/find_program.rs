//! Where a program is: at its path, or in a directory of the PATH that it gets,
//! or else in those of the system.

use super::command::Command;
use super::spawned::Refused;
use super::wide::{self, Wide};
use crate::error::{Error, Result};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, GetFileAttributesW, INVALID_FILE_ATTRIBUTES,
};
use windows_sys::Win32::System::Environment::GetEnvironmentVariableW;
use windows_sys::Win32::System::SystemInformation::{GetSystemDirectoryW, GetWindowsDirectoryW};

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nothing,
    File,
    Directory,
}

/// What the path leads to.
pub fn kind(path: &Wide) -> Kind {
    // SAFETY: it ends with 0.
    match unsafe { GetFileAttributesW(path.as_ptr()) } {
        INVALID_FILE_ATTRIBUTES => Kind::Nothing,
        attributes if attributes & FILE_ATTRIBUTE_DIRECTORY != 0 => Kind::Directory,
        _ => Kind::File,
    }
}

/// The path of the command's program. What has no extension is looked for with
/// ".exe" first.
pub fn find(command: &Command<'_>) -> std::result::Result<Wide, Refused> {
    let name = wide::utf8(command.file)?;
    let last = name.rsplit(['/', '\\', ':']).next().unwrap_or_default();
    if last.is_empty() {
        return Err(Refused::Program(libc::ENOENT));
    }
    let endings = if last.contains('.') { ["", ".exe"] } else { [".exe", ""] };
    let mut refusal = libc::ENOENT;
    let mut look = |directory: &str| -> std::result::Result<Option<Wide>, Refused> {
        for ending in endings {
            let between = match directory.ends_with(['/', '\\']) || directory.is_empty() {
                true => "",
                false => "\\",
            };
            let path = wide::of(&[directory, between, name, ending])?;
            match kind(&path) {
                Kind::Nothing => {}
                Kind::Directory => refusal = libc::EACCES,
                Kind::File if is_batch(&[name, ending]) => return Err(BATCH.into()),
                Kind::File => return Ok(Some(path)),
            }
        }
        Ok(None)
    };
    if name.len() > last.len() {
        let base = match (command.cwd, is_relative(name)) {
            (Some(cwd), true) => wide::utf8(cwd)?,
            _ => "",
        };
        return look(base)?.ok_or(Refused::Program(refusal));
    }
    let path = search_path(command)?;
    for directory in path.split(';').map(|entry| entry.trim_matches('"')) {
        if !directory.is_empty()
            && let Some(found) = look(directory)?
        {
            return Ok(found);
        }
    }
    for directory in [system_directory()?, windows_directory()?].into_iter().flatten() {
        if let Some(found) = look(&directory)? {
            return Ok(found);
        }
    }
    Err(Refused::Program(refusal))
}

const BATCH: Error = Error::Unsupported("a batch file is for the shell: it has its own quoting");

/// Programs take their line apart as C does; the shell, which runs these, does
/// not, and would run parts of an argument as a command.
fn is_batch(parts: &[&str; 2]) -> bool {
    let name = if parts[1].is_empty() { parts[0] } else { parts[1] };
    let name = name.trim_end_matches([' ', '.']);
    let Some((_, extension)) = name.rsplit_once('.') else { return false };
    ["bat", "cmd"].iter().any(|batch| extension.eq_ignore_ascii_case(batch))
}

/// Does the path begin neither at a root nor at a drive?
fn is_relative(path: &str) -> bool {
    !path.starts_with(['/', '\\']) && path.as_bytes().get(1) != Some(&b':')
}

fn search_path(command: &Command<'_>) -> Result<String> {
    let Some(env) = command.env else {
        return Ok(variable("PATH")?.unwrap_or_default());
    };
    for entry in env.iter() {
        if let Some((name, value)) = wide::utf8(entry)?.split_once('=')
            && name.eq_ignore_ascii_case("PATH")
        {
            let mut path = String::new();
            path.try_reserve_exact(value.len()).map_err(|_| Error::NO_MEMORY)?;
            path.push_str(value);
            return Ok(path);
        }
    }
    Ok(String::new())
}

/// A variable of this process.
fn variable(name: &str) -> Result<Option<String>> {
    let name = wide::of(&[name])?;
    // SAFETY: the name ends with 0, and there is so much room.
    wide::asked(|place, room| unsafe { GetEnvironmentVariableW(name.as_ptr(), place, room) })
}

fn system_directory() -> Result<Option<String>> {
    // SAFETY: there is so much room.
    wide::asked(|place, room| unsafe { GetSystemDirectoryW(place, room) })
}

fn windows_directory() -> Result<Option<String>> {
    // SAFETY: there is so much room.
    wide::asked(|place, room| unsafe { GetWindowsDirectoryW(place, room) })
}

/// The path of the shell.
pub fn shell() -> Result<String> {
    if let Some(path) = variable("COMSPEC")? {
        return Ok(path);
    }
    let mut path = system_directory()?.unwrap_or_default();
    const NAME: &str = "\\cmd.exe";
    path.try_reserve_exact(NAME.len()).map_err(|_| Error::NO_MEMORY)?;
    path.push_str(NAME);
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_files_are_known_by_their_names() {
        assert!(is_batch(&["a.BAT", ""]) && is_batch(&["a.cmd. ", ""]));
        assert!(!is_batch(&["a.bat", ".exe"]) && !is_batch(&["x.com", ""]));
        assert!(!is_batch(&["bat", ""]) && !is_batch(&["cmd", ""]));
    }

    #[test]
    fn paths_are_relative_or_not() {
        assert!(is_relative(r"a\b") && is_relative("./a"));
        assert!(!is_relative(r"C:\a") && !is_relative(r"\a") && !is_relative("c:a"));
    }

    #[test]
    fn the_shell_is_there() {
        assert!(kind(&wide::of(&[&shell().unwrap()]).unwrap()) == Kind::File);
    }
}
