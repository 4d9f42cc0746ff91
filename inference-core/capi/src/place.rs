//! The caller's memory: addresses become references here, after what can be checked of them.

use core::mem::MaybeUninit;
use core::ops::Range;
use core::{ptr, slice};

use crate::Thumbnet;

/// A value in memory that the caller has, and whether it is there.
#[repr(C)]
pub struct Place<T> {
    /// [`Self::READY`] if it is.
    mark: usize,
    value: MaybeUninit<T>,
}

impl<T> Place<T> {
    /// What memory hardly holds by accident.
    const READY: usize = 0x746e_6574;

    /// The place at an address in C, whose type `C` has to be as large and as aligned.
    pub unsafe fn at<'a, C>(address: *mut C) -> Result<&'a mut Self, Thumbnet> {
        const { assert!(size_of::<Self>() <= size_of::<C>() && align_of::<Self>() <= align_of::<C>()) };
        check(address)?;
        // SAFETY: the address is neither null nor misaligned, and the caller has a `C` there that nothing else
        // looks at meanwhile. Any bytes are a `Place`.
        Ok(unsafe { &mut *address.cast() })
    }

    /// The value at an address in C.
    pub unsafe fn find<'a, C>(address: *mut C) -> Result<&'a mut T, Thumbnet> {
        // SAFETY: the same is asked for.
        let place = unsafe { Self::at(address) }?;
        if place.mark != Self::READY {
            return Err(Thumbnet::NotReady);
        }
        // SAFETY: the mark is set behind the value only, and taken away before another is tried.
        Ok(unsafe { place.value.assume_init_mut() })
    }

    /// Makes a value there; where that fails, none is there.
    #[inline(always)] // It is made where it will be: no copy of it on the stack.
    pub fn put<E: Into<Thumbnet>>(&mut self, make: impl FnOnce() -> Result<T, E>) -> Thumbnet {
        self.mark = 0;
        match make() {
            Ok(value) => {
                self.value.write(value);
                self.mark = Self::READY;
                Thumbnet::Ok
            }
            Err(error) => error.into(),
        }
    }
}

/// Whether something can be at an address.
fn check<T>(address: *const T) -> Result<(), Thumbnet> {
    match address {
        _ if address.is_null() => Err(Thumbnet::Null),
        _ if !address.is_aligned() => Err(Thumbnet::Misaligned),
        _ => Ok(()),
    }
}

/// The addresses of an array; `Err` where no such array can be.
fn range<T>(address: *const T, count: usize) -> Result<Range<usize>, Thumbnet> {
    check(address)?;
    let start = address.addr();
    let bytes = count.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= isize::MAX as usize);
    let end = bytes.and_then(|bytes| start.checked_add(bytes));
    Ok(start..end.ok_or(Thumbnet::WrongLength)?)
}

/// An array that is read.
pub unsafe fn read<'a, T>(address: *const T, count: usize, others: &[Range<usize>]) -> Result<&'a [T], Thumbnet> {
    is_apart(&range(address, count)?, others)?;
    // SAFETY: the address is neither null nor misaligned, the length is possible, nothing that we write overlaps it, and the
    // caller has as many there.
    Ok(unsafe { slice::from_raw_parts(address, count) })
}

/// An array that is written.
pub unsafe fn write<'a, T>(address: *mut T, count: usize, others: &[Range<usize>]) -> Result<&'a mut [T], Thumbnet> {
    is_apart(&range(address, count)?, others)?;
    // SAFETY: the address is neither null nor misaligned, the length is possible, nothing that we have overlaps it, and the
    // caller has as many there, which nothing else looks at meanwhile.
    Ok(unsafe { slice::from_raw_parts_mut(address, count) })
}

/// The addresses of a value.
pub fn place_of<T: ?Sized>(value: &T) -> Range<usize> {
    let start = ptr::from_ref(value).addr();
    start..start + size_of_val(value)
}

fn is_apart(range: &Range<usize>, others: &[Range<usize>]) -> Result<(), Thumbnet> {
    let overlaps = |other: &Range<usize>| range.start.max(other.start) < range.end.min(other.end);
    if others.iter().any(overlaps) { Err(Thumbnet::Overlap) } else { Ok(()) }
}
