//! What Windows gives a program: one line, which the program takes apart again,
//! and one block of variables.

use super::command::Strings;
use super::wide::{self, Wide};
use crate::error::{Error, Result};
use crate::memory::try_push;

/// The longest line, with the 0 that ends it.
pub const LONGEST: usize = 32767;

/// The line that C's runtime takes apart into these arguments, by the rules that
/// Python's `list2cmdline` follows.
pub fn join(arguments: Strings<'_>) -> Result<Wide> {
    let mut line = Wide::new();
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            wide::push(&mut line, " ")?;
        }
        let argument = wide::utf8(argument)?;
        match index {
            0 => push_name(&mut line, argument)?,
            _ => push_argument(&mut line, argument)?,
        }
    }
    wide::end(&mut line)?;
    Ok(line)
}

/// The line for a shell, which takes it as it is.
pub fn of_shell(shell: &str, command: &str) -> Result<Wide> {
    wide::of(&["\"", shell, "\" /c \"", command, "\""])
}

fn wants_quotes(text: &str) -> bool {
    text.is_empty() || text.contains([' ', '\t', '\n', '\x0b'])
}

/// The first argument ends at the first blank or quote: nothing in it can be
/// escaped.
fn push_name(line: &mut Wide, name: &str) -> Result<()> {
    if name.contains('"') {
        return Err(Error::Invalid("a program's name cannot have quotes"));
    }
    let quote = if wants_quotes(name) { "\"" } else { "" };
    [quote, name, quote].iter().try_for_each(|part| wide::push(line, part))
}

/// Backslashes mean themselves, except before a quote.
fn push_argument(line: &mut Wide, argument: &str) -> Result<()> {
    let quotes = wants_quotes(argument);
    if quotes {
        wide::push(line, "\"")?;
    }
    let mut backslashes = 0;
    for part in argument.split_inclusive(['\\', '"']) {
        let plain = part.trim_end_matches(['\\', '"']);
        if !plain.is_empty() {
            backslashes = 0;
        }
        wide::push(line, plain)?;
        if part.ends_with('"') {
            // Those before it, doubled, and one more for the quote.
            (0..=backslashes).try_for_each(|_| wide::push(line, "\\"))?;
            backslashes = 0;
            wide::push(line, "\"")?;
        } else if part.ends_with('\\') {
            backslashes += 1;
            wide::push(line, "\\")?;
        }
    }
    if quotes {
        (0..backslashes).try_for_each(|_| wide::push(line, "\\"))?;
        wide::push(line, "\"")?;
    }
    Ok(())
}

/// The block of variables, in the order that the system wants: by name, in
/// capitals.
pub fn environment(variables: Strings<'_>) -> Result<Wide> {
    let mut sorted: Vec<&str> = Vec::new();
    for variable in variables.iter() {
        try_push(&mut sorted, wide::utf8(variable)?)?;
    }
    sorted.sort_unstable_by(|one, other| capitals(one).cmp(capitals(other)));
    let mut block = Wide::new();
    for variable in sorted {
        wide::push(&mut block, variable)?;
        wide::end(&mut block)?;
    }
    // An empty block is two zeroes as well.
    if block.is_empty() {
        wide::end(&mut block)?;
    }
    wide::end(&mut block)?;
    Ok(block)
}

fn capitals(variable: &str) -> impl Iterator<Item = char> {
    variable.split('=').next().unwrap_or_default().chars().flat_map(char::to_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::{CString, c_char};

    fn with_strings<R>(texts: &[&str], body: impl FnOnce(Strings<'_>) -> R) -> R {
        let owned: Vec<CString> = texts.iter().map(|text| CString::new(*text).unwrap()).collect();
        let mut pointers: Vec<*const c_char> = owned.iter().map(|text| text.as_ptr()).collect();
        pointers.push(std::ptr::null());
        // SAFETY: ended by null, and there until `body` returns.
        body(unsafe { Strings::new(pointers.as_ptr()) }.unwrap())
    }

    fn joined(arguments: &[&str]) -> String {
        let mut line = with_strings(arguments, |arguments| join(arguments).unwrap());
        assert_eq!(line.pop(), Some(0));
        String::from_utf16(&line).unwrap()
    }

    #[test]
    fn arguments_are_quoted_as_the_c_runtime_reads_them() {
        assert_eq!(joined(&["a", "b c", ""]), r#"a "b c" """#);
        assert_eq!(joined(&[r"C:\with space\p", r"a\b", r"a\\"]), r#""C:\with space\p" a\b a\\"#);
        assert_eq!(joined(&["p", r"a b\"]), r#"p "a b\\""#);
        assert_eq!(joined(&["p", r#"say "x""#]), r#"p "say \"x\"""#);
        assert_eq!(joined(&["p", r#"\\"x"#, r#"""#]), r#"p \\\\\"x \""#);
        assert_eq!(joined(&["p", r#"\a"x"#]), r#"p \a\"x"#);
        assert_eq!(joined(&["ä", "😀"]), "ä 😀");
    }

    #[test]
    fn a_name_with_quotes_is_refused() {
        with_strings(&["a\"b"], |arguments| {
            assert!(matches!(join(arguments), Err(Error::Invalid(_))));
        });
    }

    #[test]
    fn variables_are_sorted_by_name() {
        let block = with_strings(&["b=1", "PATH=x", "A=2", "ab=3"], |v| environment(v).unwrap());
        assert_eq!(String::from_utf16(&block).unwrap(), "A=2\0ab=3\0b=1\0PATH=x\0\0");
        assert_eq!(with_strings(&[], |v| environment(v).unwrap()), [0, 0]);
    }
}
