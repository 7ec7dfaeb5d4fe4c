//! Memory that may run out: an error, where the standard containers would abort.

use crate::error::{Error, Result};
use std::alloc::{Layout, alloc, dealloc};
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
    // An Arc has two counters before its value.
    let (layout, _) =
        Layout::new::<[usize; 2]>().extend(Layout::new::<T>()).map_err(|_| Error::NO_MEMORY)?;
    probe(layout.pad_to_align())?;
    Ok(Arc::new(value))
}

/// `Box::new`, or the value is dropped.
pub fn try_box<T>(value: T) -> Result<Box<T>> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value));
    }
    // SAFETY: the layout is not empty and a Box's own; the memory is written
    // before it becomes one.
    unsafe {
        let place = alloc(layout).cast::<T>();
        if place.is_null() {
            return Err(Error::NO_MEMORY);
        }
        place.write(value);
        Ok(Box::from_raw(place))
    }
}
