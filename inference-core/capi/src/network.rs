//! A network in the caller's memory.

use core::ops::Range;

use thumbnet::kernels::Only;
use thumbnet::{Network, Step};

use crate::Thumbnet;
use crate::model::{Stored, ThumbnetModel, is_word};
use crate::place::{Place, place_of, read, write};

/// Words of a thumbnet_network.
pub const THUMBNET_NETWORK_WORDS: usize = 192;

/// A network: the caller's memory, what is in it is the library's.
#[repr(C)]
pub struct ThumbnetNetwork {
    private_: [usize; THUMBNET_NETWORK_WORDS],
}

/// The kernels in the library: all, or those of one model. `cargo xtask c --model` sets the variable.
const USES: u32 = match option_env!("THUMBNET_USES") {
    None => u32::MAX,
    Some(uses) => match u32::from_str_radix(uses, 10) {
        Ok(uses) => uses,
        Err(_) => panic!("THUMBNET_USES is what Model::uses returns, a number"),
    },
};

/// A network with the memory that it works in.
pub(crate) struct Working {
    network: Network<'static, 'static, Only<USES>>,
    /// The addresses of the arena.
    arena: Range<usize>,
}

/// Sets a network up that works in `arena`, of which thumbnet_arena_len bytes are enough.
///
/// `network` keeps the arena's address and that of the model's bytes; `model` itself is not needed any more. The arena begins
/// at a multiple of THUMBNET_ALIGNMENT; nothing else may be in it while the network is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_init(
    network: *mut ThumbnetNetwork,
    model: *const ThumbnetModel,
    arena: *mut u8,
    arena_len: usize,
) -> Thumbnet {
    // SAFETY: the caller has a network there.
    let place = match unsafe { Place::<Working>::at(network) } {
        Ok(place) => place,
        Err(error) => return error,
    };
    let own = place_of(place);
    place.put(|| {
        // SAFETY: the caller has a model there; nothing is written.
        let model = *unsafe { Place::<Stored>::find(model.cast_mut()) }?;
        is_word(arena)?;
        // SAFETY: the caller has as many bytes there, for this network alone.
        let arena = unsafe { write(arena, arena_len, &[own, place_of(model.bytes())]) }?;
        Ok::<_, Thumbnet>(Working { arena: place_of(arena), network: Network::with_kernels(&model, arena)? })
    })
}

/// Begins an image, and forgets the one before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_begin(network: *mut ThumbnetNetwork) -> Thumbnet {
    // SAFETY: the caller has a network there.
    let working = unsafe { Place::<Working>::find(network) };
    working.map(|working| working.network.reset()).into()
}

/// Takes the next row of the image, `len` = width * channels bytes, after the work that is still open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_push_row(network: *mut ThumbnetNetwork, row: *const u8, len: usize) -> Thumbnet {
    // SAFETY: the caller has a network and as many bytes there.
    unsafe { with(network, row, len, |network, row| network.push_row(row).into()) }
}

/// Computes one row of one layer, and says whether there is more to do: THUMBNET_WORKED, THUMBNET_NEEDS_ROW or THUMBNET_DONE.
/// Nobody has to call it: it divides the work that thumbnet_push_row and thumbnet_logits do otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_step(network: *mut ThumbnetNetwork) -> Thumbnet {
    // SAFETY: the caller has a network there.
    match unsafe { Place::<Working>::find(network) } {
        Ok(working) => match working.network.step() {
            Step::Worked { .. } => Thumbnet::Worked,
            Step::NeedsRow => Thumbnet::NeedsRow,
            Step::Done => Thumbnet::Done,
        },
        Err(error) => error,
    }
}

/// Takes a whole image, `len` = height * width * channels bytes, and does all its work.
///
/// `result`: the index of the largest output, the first one where several are equal; of a single output, whether it is above zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_classify(
    network: *mut ThumbnetNetwork,
    pixels: *const u8,
    len: usize,
    result: *mut usize,
) -> Thumbnet {
    // SAFETY: the caller has a network, as many bytes and a number there.
    unsafe {
        let classify = |network: &mut Network<'_, '_, _>, pixels: &[u8]| network.classify(pixels).map(|_| ()).into();
        match with(network, pixels, len, classify) {
            Thumbnet::Ok => thumbnet_class(network, result),
            error => error,
        }
    }
}

/// The class of an image that has all its rows, as thumbnet_classify gives it, after the work that is still open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_class(network: *mut ThumbnetNetwork, result: *mut usize) -> Thumbnet {
    // SAFETY: the caller has a network and a number there.
    unsafe {
        finish(network, result, 1, |prediction, result| {
            result.iter_mut().for_each(|result| *result = prediction.class());
            Thumbnet::Ok
        })
    }
}

/// The outputs for an image that has all its rows, after the work that is still open. `count` = thumbnet_outputs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thumbnet_logits(network: *mut ThumbnetNetwork, logits: *mut i32, count: usize) -> Thumbnet {
    // SAFETY: the caller has a network and as many numbers there.
    unsafe {
        finish(network, logits, count, |prediction, logits| {
            let found = prediction.logits();
            if found.len() != logits.len() {
                return Thumbnet::WrongLength;
            }
            logits.iter_mut().zip(found.iter()).for_each(|(logit, found)| *logit = found);
            Thumbnet::Ok
        })
    }
}

/// Does something with a network and bytes.
unsafe fn with(
    network: *mut ThumbnetNetwork,
    bytes: *const u8,
    len: usize,
    work: impl FnOnce(&mut Network<'static, 'static, Only<USES>>, &[u8]) -> Thumbnet,
) -> Thumbnet {
    // SAFETY: the same is asked for.
    let found = unsafe { Place::<Working>::find(network) }.and_then(|working| {
        // SAFETY: the same.
        let bytes = unsafe { read(bytes, len, &[place_of(working), working.arena.clone()]) }?;
        Ok((working, bytes))
    });
    match found {
        Ok((working, bytes)) => work(&mut working.network, bytes),
        Err(error) => error,
    }
}

/// Does something with what a network has made, and with memory for it.
unsafe fn finish<T>(
    network: *mut ThumbnetNetwork,
    results: *mut T,
    count: usize,
    work: impl FnOnce(thumbnet::Prediction<'_>, &mut [T]) -> Thumbnet,
) -> Thumbnet {
    // SAFETY: the same is asked for.
    let found = unsafe { Place::<Working>::find(network) }.and_then(|working| {
        // SAFETY: the same.
        let results = unsafe { write(results, count, &[place_of(working), working.arena.clone()]) }?;
        Ok((working, results))
    });
    match found {
        Ok((working, results)) => match working.network.finish() {
            Ok(prediction) => work(prediction, results),
            Err(error) => error.into(),
        },
        Err(error) => error,
    }
}
