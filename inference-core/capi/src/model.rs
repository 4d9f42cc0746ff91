//! A model in the caller's memory.

use core::ops::Range;

use thumbnet::{Model, format};

use crate::Thumbnet;
use crate::place::{Place, place_of, read};

/// What the addresses of a model's bytes and of an arena are multiples of: kernels read whole words.
pub const THUMBNET_ALIGNMENT: usize = 4;

/// A model: the caller's memory, what is in it is the library's.
#[repr(C)]
pub struct ThumbnetModel {
    private_: [usize; 4],
}

/// The size of what enters or leaves a network: rows, pixels of a row, values of a pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ThumbnetShape {
    /// Rows.
    pub height: u16,
    /// Pixels of a row.
    pub width: u16,
    /// Values of a pixel.
    pub channels: u16,
}

impl From<format::Shape> for ThumbnetShape {
    fn from(format::Shape { height, width, channels }: format::Shape) -> Self {
        Self { height, width, channels }
    }
}

/// A model is a view into its file's bytes.
pub(crate) type Stored = Model<'static>;

/// Checks a .tnet file of `len` bytes, once and thoroughly: after this, running it cannot fail, whatever the bytes.
///
/// `model` keeps the address: the bytes have to stay where they are as long as it, and networks of it, are used.
/// They begin at a multiple of THUMBNET_ALIGNMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_parse(model: *mut ThumbnetModel, bytes: *const u8, len: usize) -> Thumbnet {
    // SAFETY: the caller has a model there.
    let place = match unsafe { Place::<Stored>::at(model) } {
        Ok(place) => place,
        Err(error) => return error,
    };
    let own = place_of(place);
    // SAFETY: the caller has `len` bytes there, which stay.
    place.put(|| match unsafe { read_words(bytes, len, &[own]) } {
        Ok(bytes) => Model::parse(bytes).map_err(Thumbnet::from),
        Err(error) => Err(error),
    })
}

/// Bytes of memory that a network of this model works in; 0 for a model that was not parsed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_arena_len(model: *const ThumbnetModel) -> usize {
    // SAFETY: the caller has a model there.
    unsafe { ask(model, Model::arena_len) }
}

/// The shape of what enters: one byte each, row by row, channel fastest; zeros for a model that was not parsed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_input(model: *const ThumbnetModel) -> ThumbnetShape {
    // SAFETY: the caller has a model there.
    unsafe { ask(model, |model| model.input().into()) }
}

/// The shape of what leaves; zeros for a model that was not parsed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_output(model: *const ThumbnetModel) -> ThumbnetShape {
    // SAFETY: the caller has a model there.
    unsafe { ask(model, |model| model.output().into()) }
}

/// How many values leave: height * width * channels of thumbnet_output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_outputs(model: *const ThumbnetModel) -> usize {
    // SAFETY: the caller has a model there.
    unsafe { ask(model, Model::outputs) }
}

/// What enters is a real value / this scale + thumbnet_input_zero_point, rounded, from 0 to 255.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_input_scale(model: *const ThumbnetModel) -> f32 {
    // SAFETY: the caller has a model there.
    unsafe { ask(model, Model::input_scale) }
}

/// The byte that stands for a real zero in what enters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_input_zero_point(model: *const ThumbnetModel) -> u8 {
    // SAFETY: the caller has a model there.
    unsafe { ask(model, Model::input_zero_point) }
}

/// The real value of a logit is the logit * this scale.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_output_scale(model: *const ThumbnetModel) -> f32 {
    // SAFETY: the caller has a model there.
    unsafe { ask(model, Model::output_scale) }
}

/// What a model says of itself; the default where there is none.
unsafe fn ask<T: Default>(model: *const ThumbnetModel, what: impl FnOnce(&Stored) -> T) -> T {
    // SAFETY: the same is asked for; nothing is written there.
    unsafe { Place::<Stored>::find(model.cast_mut()) }.map_or_else(|_| T::default(), |model| what(model))
}

/// Bytes that begin at a whole word.
pub(crate) unsafe fn read_words<'a>(
    address: *const u8,
    len: usize,
    others: &[Range<usize>],
) -> Result<&'a [u8], Thumbnet> {
    is_word(address)?;
    // SAFETY: the same is asked for.
    unsafe { read(address, len, others) }
}

/// Whether kernels can read whole words there.
pub(crate) fn is_word(address: *const u8) -> Result<(), Thumbnet> {
    if address.addr().is_multiple_of(THUMBNET_ALIGNMENT) { Ok(()) } else { Err(Thumbnet::Misaligned) }
}
