//! A block: a convolution with what follows it, or a branch beside a skip connection.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Activation, Padding, Pool, Size};

/// One block of a network: its operation, activation and pooling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Written")]
pub struct Block {
    /// What it computes; every convolution has a bias and batch normalization.
    pub operation: Operation,
    /// After the operation; `None`: the network's.
    pub activation: Option<Activation>,
    /// Max pooling after the activation.
    pub pool: Pool,
}

/// What a block computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A convolution over all channels.
    Conv {
        /// Output channels.
        filters: usize,
        /// Height and width; `None`: the network's.
        kernel: Option<Size>,
        /// Steps down and across.
        stride: Size,
        /// What lies around the map.
        padding: Padding,
    },
    /// A convolution of every channel by itself.
    Depthwise {
        /// Height and width.
        kernel: Size,
        /// Steps down and across.
        stride: Size,
        /// What lies around the map.
        padding: Padding,
    },
    /// A 1 x 1 convolution.
    Pointwise {
        /// Output channels.
        filters: usize,
        /// Steps down and across.
        stride: Size,
    },
    /// The sum of a branch and of what enters it. Where their shapes differ, what enters goes through a 1 x 1 convolution with
    /// the branch's stride, batch-normalized, without activation.
    Residual(Vec<Block>),
}

/// A block as a table; [`Block`] may also be written short, `[filters, padding, pool]`.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    conv: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depthwise: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointwise: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    residual: Option<Vec<Block>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stride: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<Padding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<Pool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<Activation>,
}

impl TryFrom<Written> for Block {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, &'static str> {
        let Written { conv, depthwise, pointwise, residual, kernel, stride, padding, pool, activation } = written;
        let given = (kernel.is_some(), stride.is_some(), padding.is_some());
        let (step, around) = (stride.unwrap_or(Size::ONE), padding.unwrap_or_default());
        let operation = match (conv, depthwise, pointwise, residual) {
            (Some(filters), None, None, None) => Operation::Conv { filters, kernel, stride: step, padding: around },
            (None, Some(kernel), None, None) if !given.0 => {
                Operation::Depthwise { kernel, stride: step, padding: around }
            }
            (None, Some(_), None, None) => return Err("the kernel of a depthwise block is written `depthwise = 3`"),
            (None, None, Some(filters), None) if !given.0 && !given.2 => Operation::Pointwise { filters, stride: step },
            (None, None, Some(_), None) => return Err("a pointwise block has no `kernel` and no `padding`"),
            (None, None, None, Some(branch)) if given == (false, false, false) => Operation::Residual(branch),
            (None, None, None, Some(_)) => {
                return Err("`kernel`, `stride` and `padding` belong to the blocks of the residual branch");
            }
            _ => return Err("a block has exactly one of `conv`, `depthwise`, `pointwise` and `residual`"),
        };
        Ok(Self { operation, activation, pool: pool.unwrap_or_default() })
    }
}

impl From<Block> for Written {
    fn from(Block { operation, activation, pool }: Block) -> Self {
        let written = Self { activation, pool: (pool != Pool::None).then_some(pool), ..Self::default() };
        let steps = |stride| (stride != Size::ONE).then_some(stride);
        let around = |padding| (padding != Padding::default()).then_some(padding);
        match operation {
            Operation::Conv { filters, kernel, stride, padding } => {
                Self { conv: Some(filters), kernel, stride: steps(stride), padding: around(padding), ..written }
            }
            Operation::Depthwise { kernel, stride, padding } => {
                Self { depthwise: Some(kernel), stride: steps(stride), padding: around(padding), ..written }
            }
            Operation::Pointwise { filters, stride } => {
                Self { pointwise: Some(filters), stride: steps(stride), ..written }
            }
            Operation::Residual(branch) => Self { residual: Some(branch), ..written },
        }
    }
}

// By hand, so that an error says what is wrong with the form that was meant.
impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = Block;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a block: [filters, padding, pool] or a table such as { conv = 16, stride = 2 }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Block, A::Error> {
                let (filters, padding, pool) = Deserialize::deserialize(SeqAccessDeserializer::new(list))?;
                let operation = Operation::Conv { filters, kernel: None, stride: Size::ONE, padding };
                Ok(Block { operation, activation: None, pool })
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Block, A::Error> {
                let written = Written::deserialize(MapAccessDeserializer::new(table))?;
                Block::try_from(written).map_err(A::Error::custom)
            }
        }
        from.deserialize_any(Forms)
    }
}
