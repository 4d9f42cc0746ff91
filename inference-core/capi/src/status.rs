//! What the functions answer.

use core::ffi::{CStr, c_char};

use thumbnet::{InputError, NetworkError, ParseError};

/// What a function answers: below zero is an error. thumbnet_message says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Thumbnet {
    /// It is done.
    Ok = 0,
    /// thumbnet_step: a row of a layer was computed; there may be more to do.
    Worked = 1,
    /// thumbnet_step: nothing can be done before the next row is pushed.
    NeedsRow = 2,
    /// thumbnet_step: the image is classified.
    Done = 3,

    /// An address is NULL.
    Null = -1,
    /// An address is not a multiple of what it has to be.
    Misaligned = -2,
    /// Memory for one purpose overlaps that for another.
    Overlap = -3,
    /// A thumbnet_model was not parsed, or a thumbnet_network not set up, or doing so has failed.
    NotReady = -4,

    /// The bytes do not begin with TNET.
    NotAModel = -10,
    /// The model has a format version that this library does not read.
    Version = -11,
    /// The model has more or fewer bytes than it says.
    Length = -12,
    /// The model was damaged.
    Checksum = -13,
    /// The model has an operator that this library does not know.
    Operator = -14,
    /// The model does not fit its format.
    Malformed = -15,

    /// The arena has fewer bytes than thumbnet_arena_len.
    ArenaTooSmall = -20,
    /// The library was built for another model, without the kernels that this one needs.
    KernelMissing = -21,

    /// A row or an image has not as many bytes as the model takes, or there is not room for as many outputs as it gives.
    WrongLength = -30,
    /// The image has all its rows: thumbnet_begin comes before the next one.
    TooManyRows = -31,
    /// The image has not all its rows yet.
    MissingRows = -32,
}

impl Thumbnet {
    /// All of them, to find one by its number.
    const ALL: [Self; 19] = [
        Self::Ok,
        Self::Worked,
        Self::NeedsRow,
        Self::Done,
        Self::Null,
        Self::Misaligned,
        Self::Overlap,
        Self::NotReady,
        Self::NotAModel,
        Self::Version,
        Self::Length,
        Self::Checksum,
        Self::Operator,
        Self::Malformed,
        Self::ArenaTooSmall,
        Self::KernelMissing,
        Self::WrongLength,
        Self::TooManyRows,
        Self::MissingRows,
    ];

    /// The same in words, with what to do.
    fn message(self) -> &'static CStr {
        match self {
            Self::Ok => c"done",
            Self::Worked => c"a row of a layer was computed",
            Self::NeedsRow => c"the next row of the image is needed",
            Self::Done => c"the image is classified",
            Self::Null => c"an address is NULL",
            Self::Misaligned => c"an address is not aligned: model and arena begin at a multiple of THUMBNET_ALIGNMENT",
            Self::Overlap => c"memory overlaps: model, network, arena, image and outputs each need their own",
            Self::NotReady => c"not set up: thumbnet_parse comes first, then thumbnet_init, and both have to succeed",
            Self::NotAModel => c"not a .tnet model: it does not begin with TNET",
            Self::Version => c"the model has another format version: update the library, or compile the model again",
            Self::Length => c"the model has not as many bytes as it says: it was cut or extended",
            Self::Checksum => c"the model was damaged: its checksum does not match",
            Self::Operator => c"the model has an operator that this library does not know: update the library",
            Self::Malformed => c"the model does not fit the format: compile it again",
            Self::ArenaTooSmall => c"the arena is too small: the model needs thumbnet_arena_len bytes",
            Self::KernelMissing => c"the library was built without what the model needs: build it with this model",
            Self::WrongLength => c"a row, an image or the outputs have another length than the model's",
            Self::TooManyRows => c"the image already has all its rows: call thumbnet_begin before the next one",
            Self::MissingRows => c"rows of the image are missing",
        }
    }
}

/// An answer in words, in English, with what to do about an error. Never NULL; the text stays.
#[unsafe(no_mangle)]
pub extern "C" fn thumbnet_message(status: i32) -> *const c_char {
    let known = Thumbnet::ALL.into_iter().find(|&known| known as i32 == status);
    known.map_or(c"no status of this library", Thumbnet::message).as_ptr()
}

impl From<ParseError> for Thumbnet {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::NotAModel => Self::NotAModel,
            ParseError::Version { .. } => Self::Version,
            ParseError::Length { .. } => Self::Length,
            ParseError::Checksum => Self::Checksum,
            ParseError::UnknownCode { .. } => Self::Operator,
            // Header, shapes, sections, requantization, plan of the memory.
            _ => Self::Malformed,
        }
    }
}

impl From<NetworkError> for Thumbnet {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::ArenaTooSmall { .. } => Self::ArenaTooSmall,
            // It is the only other one.
            _ => Self::KernelMissing,
        }
    }
}

impl From<InputError> for Thumbnet {
    fn from(error: InputError) -> Self {
        match error {
            InputError::TooManyRows => Self::TooManyRows,
            InputError::MissingRows { .. } => Self::MissingRows,
            // It is the only other one.
            _ => Self::WrongLength,
        }
    }
}

impl<E: Into<Self>> From<Result<(), E>> for Thumbnet {
    fn from(result: Result<(), E>) -> Self {
        result.map_or_else(E::into, |()| Self::Ok)
    }
}
