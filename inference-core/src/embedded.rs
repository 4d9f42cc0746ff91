//! A model that is part of the program, read by the compiler while it builds that.

use crate::format::{HEADER_LEN, LAYER_LEN, Layer};
use crate::kernels::uses_at_most;
use crate::model::{Model, ParseError};

/// A model file as a constant [`Model`]: its bytes stand aligned in the program, and its sizes are known to the compiler.
///
/// The path is relative to the source file, as with [`include_bytes!`]. A file of another format or version, one that was
/// cut or damaged, is an error of the build. That the plan of its memory holds, `thumbnet compile` has proved; a test that
/// calls [`Model::parse`] with [`Model::bytes`] proves it again.
///
/// ```
/// use thumbnet::{Model, Network, include_model};
///
/// const DIGIT: Model = include_model!("../tests/samples/v2-nano.tnet");
///
/// let mut arena = [0; DIGIT.arena_len()];
/// let mut network = Network::new(&DIGIT, &mut arena)?;
/// let image = [0; DIGIT.input().len()];
/// assert!(network.classify(&image)?.class() < DIGIT.outputs());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// What is no model does not build:
///
/// ```compile_fail
/// # use thumbnet::{Model, include_model};
/// const DIGIT: Model = include_model!("lib.rs");
/// ```
///
/// [`Only`](crate::kernels::Only) leaves the kernels out of the program that the model does not use:
///
/// ```
/// # use thumbnet::{Model, Network, include_model};
/// # const DIGIT: Model = include_model!("../tests/samples/v2-nano.tnet");
/// use thumbnet::kernels::Only;
///
/// let mut arena = [0; DIGIT.arena_len()];
/// let network = Network::<Only<{ DIGIT.kernels() }>>::with_kernels(&DIGIT, &mut arena)?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[macro_export]
macro_rules! include_model {
    ($path:expr $(,)?) => {{
        #[repr(C, align(16))]
        struct Aligned<T: ?Sized>(T);
        static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!($path));
        // The checksum of a large model takes the compiler a second.
        #[allow(long_running_const_eval)]
        const MODEL: $crate::Model<'static> = match $crate::Model::proved(&ALIGNED.0) {
            Ok(model) => model,
            Err(error) => panic!("{}", error.in_short()),
        };
        MODEL
    }};
}

impl ParseError {
    /// What is wrong, for who builds a program with the file.
    pub const fn in_short(&self) -> &'static str {
        match self {
            Self::NotAModel => "not a .tnet model: it does not begin with TNET; make one with `thumbnet compile`",
            Self::Version { .. } => {
                "a model of another format version: compile it again with the tools of this version"
            }
            Self::Length { .. } => "the model file was cut or extended: its header says another length",
            Self::Checksum => "the model file was damaged: its checksum does not match",
            Self::Header
            | Self::UnknownCode { .. }
            | Self::Shape { .. }
            | Self::Section { .. }
            | Self::Requantization { .. }
            | Self::Arena { .. } => "the model file does not fit the format: compile it again",
        }
    }
}

impl Model<'_> {
    /// The kernels that its layers may need, for [`Only`](crate::kernels::Only): [`uses`](Model::uses), and what cannot be told
    /// without looking at a layer's workspace.
    pub const fn kernels(&self) -> u32 {
        let (mut uses, mut index) = (0, 0);
        let Some((_, mut rest)) = self.bytes().split_at_checked(HEADER_LEN) else { return 0 };
        while index < self.layer_count()
            && let Some((record, behind)) = rest.split_first_chunk::<LAYER_LEN>()
        {
            uses |= match Layer::decode_codes(record) {
                Some(codes) => uses_at_most(codes),
                None => 0,
            };
            (rest, index) = (behind, index + 1);
        }
        uses
    }
}
