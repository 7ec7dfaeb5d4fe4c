//! A socket address of any family, as the system writes it.

use crate::error::{Error, Result};
use crate::platform::sys;
use std::ffi::c_void;

/// A `sockaddr` with its length.
#[derive(Clone, Copy)]
pub struct Address {
    storage: sys::sockaddr_storage,
    length: usize,
}

impl Address {
    /// No address yet.
    pub(super) fn empty() -> Self {
        // SAFETY: zeroes are a valid value of this plain struct.
        Address { storage: unsafe { std::mem::zeroed() }, length: 0 }
    }

    /// A copy of the host's.
    ///
    /// # Safety
    /// `address` is NULL or has `length` bytes.
    pub unsafe fn copy(address: *const c_void, length: usize) -> Result<Self> {
        let mut copy = Address::empty();
        if address.is_null() {
            return Err(Error::Invalid("address is NULL"));
        }
        if length < size_of::<sys::sa_family_t>() || length > size_of_val(&copy.storage) {
            return Err(Error::Invalid("address_length is wrong"));
        }
        // SAFETY: as promised; the storage has room for it.
        unsafe {
            (&raw mut copy.storage).cast::<u8>().copy_from_nonoverlapping(address.cast(), length);
        }
        copy.length = length;
        Ok(copy)
    }

    /// Lets a call write the address.
    pub(super) fn fill<R>(
        &mut self,
        call: impl FnOnce(*mut sys::sockaddr, *mut sys::socklen_t) -> R,
    ) -> R {
        let room = size_of_val(&self.storage);
        let mut length = room as sys::socklen_t;
        let result = call((&raw mut self.storage).cast(), &mut length);
        // A longer address was cut off.
        self.length = (length as usize).min(room);
        result
    }

    /// Its bytes: a `struct sockaddr *`, or NULL if there is none.
    pub fn as_ptr(&self) -> *const c_void {
        if self.length == 0 { std::ptr::null() } else { (&raw const self.storage).cast() }
    }

    /// How many bytes.
    pub fn length(&self) -> usize {
        self.length
    }
}
