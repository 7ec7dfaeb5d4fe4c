//! Memory that may run out: an error, where the standard containers would abort.

use crate::error::{Error, Result};
use std::alloc::{Layout, alloc, dealloc};
use std::ffi::{CStr, CString};
use std::fmt::{self, Display, Write};
use std::rc::Rc;
use std::sync::Arc;

/// Is there memory for this layout, which must not be empty? Asked just before
/// a standard container takes the same; another thread may still come between.
pub fn probe(layout: Layout) -> Result<()> {
    // SAFETY: not empty, and given back with the same layout.
    unsafe {
        // The compiler may otherwise leave out a pair of calls without effect.
        let place = std::hint::black_box(alloc(layout));
        if place.is_null() {
            return Err(Error::NO_MEMORY);
        }
        dealloc(place, layout);
    }
    Ok(())
}

/// `probe` for an array, which a slab would abort for.
pub fn probe_array<T>(length: usize) -> Result<()> {
    probe(Layout::array::<T>(length).map_err(|_| Error::NO_MEMORY)?)
}

/// `Arc::new`, or the value is dropped.
pub fn try_arc<T>(value: T) -> Result<Arc<T>> {
    probe_counted::<T>()?;
    Ok(Arc::new(value))
}

/// `Rc::new`, or the value is dropped.
pub fn try_rc<T>(value: T) -> Result<Rc<T>> {
    probe_counted::<T>()?;
    Ok(Rc::new(value))
}

/// For an Arc or an Rc, which has two counters before its value.
fn probe_counted<T>() -> Result<()> {
    let (layout, _) =
        Layout::new::<[usize; 2]>().extend(Layout::new::<T>()).map_err(|_| Error::NO_MEMORY)?;
    probe(layout.pad_to_align())
}

/// `Box::new`, or the value is dropped.
pub fn try_box<T>(value: T) -> Result<Box<T>> {
    box_or_back(value).map_err(|_value| Error::NO_MEMORY)
}

/// `Box::new`, or the value comes back.
pub fn box_or_back<T>(value: T) -> std::result::Result<Box<T>, T> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value));
    }
    // SAFETY: the layout is not empty and a Box's own; the memory is written
    // before it becomes one.
    unsafe {
        let place = alloc(layout).cast::<T>();
        if place.is_null() {
            return Err(value);
        }
        place.write(value);
        Ok(Box::from_raw(place))
    }
}

/// `Vec::push`, or the value is dropped.
pub fn try_push<T>(list: &mut Vec<T>, value: T) -> Result<()> {
    list.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
    list.push(value);
    Ok(())
}

/// `Vec::with_capacity`.
pub fn try_list<T>(capacity: usize) -> Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(capacity).map_err(|_| Error::NO_MEMORY)?;
    Ok(list)
}

/// `Iterator::collect` into a list, or what came so far is dropped.
pub fn try_collect<T>(values: impl IntoIterator<Item = T>) -> Result<Vec<T>> {
    let values = values.into_iter();
    let mut list = try_list(values.size_hint().0)?;
    for value in values {
        try_push(&mut list, value)?;
    }
    Ok(list)
}

/// A copy of a text.
pub fn copy_text(text: &CStr) -> Result<CString> {
    let bytes = text.to_bytes_with_nul();
    // All of it at once: a list with room to spare would be moved at the end.
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Error::NO_MEMORY)?;
    copy.extend_from_slice(bytes);
    // SAFETY: the bytes of a C string.
    Ok(unsafe { CString::from_vec_with_nul_unchecked(copy) })
}

/// What `value` displays as, up to a NUL; none without memory: what it is about
/// must do without.
pub fn text_of(value: impl Display) -> Option<CString> {
    let mut counted = Bytes { list: Vec::new(), count: 0 };
    write!(counted, "{value}").ok()?;
    let mut bytes = Bytes { list: Vec::new(), count: 0 };
    bytes.list.try_reserve_exact(counted.count + 1).ok()?;
    write!(bytes, "{value}").ok()?;
    bytes.list.push(0);
    copy_text(CStr::from_bytes_until_nul(&bytes.list).ok()?).ok()
}

/// Takes as many bytes as fit, and counts all.
struct Bytes {
    list: Vec<u8>,
    count: usize,
}

impl Write for Bytes {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.count += text.len();
        if text.len() < self.list.capacity() - self.list.len() {
            self.list.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_copied() {
        assert_eq!(copy_text(c"a text").unwrap().as_c_str(), c"a text");
        assert_eq!(text_of(format_args!("{}-{}", 1, "two")).unwrap().as_c_str(), c"1-two");
        assert_eq!(text_of("up to\0here").unwrap().as_c_str(), c"up to");
        assert_eq!(text_of("").unwrap().as_c_str(), c"");
    }

    #[test]
    fn lists_are_collected() {
        assert_eq!(try_collect([1, 2, 3]).unwrap(), [1, 2, 3]);
        assert_eq!(try_collect((0..100).filter(|n| n % 10 == 0)).unwrap().len(), 10);
    }
}
