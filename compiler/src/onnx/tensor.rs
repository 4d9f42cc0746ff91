//! Constant tensors of an ONNX graph.

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};

/// A constant, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Dimensions; none for a scalar.
    pub dims: Vec<usize>,
    /// The elements.
    pub values: Values,
}

/// The elements of a constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floats.
    Float(Vec<f32>),
    /// 64-bit integers (32-bit ones are widened).
    Int(Vec<i64>),
    /// Elements of a type that no operator here reads; not kept.
    Other,
}

impl Tensor {
    /// Reads a stored tensor; says what is wrong with it otherwise.
    pub fn read(proto: &pb::TensorProto) -> Result<Self, String> {
        if proto.data_location == Some(DataLocation::External as i32) || !proto.external_data.is_empty() {
            return Err("its data are in another file: export the model as one file".into());
        }
        let dims: Vec<usize> = proto
            .dims
            .iter()
            .map(|&size| usize::try_from(size).map_err(|_| format!("has the dimension {size}")))
            .collect::<Result<_, _>>()?;
        let len = dims.iter().try_fold(1usize, |len, &size| len.checked_mul(size)).ok_or("its size overflows")?;
        let values = match DataType::try_from(proto.data_type) {
            Ok(DataType::Float) if proto.raw_data.is_empty() => Values::Float(proto.float_data.clone()),
            Ok(DataType::Float) => Values::Float(raw(&proto.raw_data, f32::from_le_bytes)?),
            Ok(DataType::Double) if proto.raw_data.is_empty() => {
                Values::Float(proto.double_data.iter().map(|&value| value as f32).collect())
            }
            Ok(DataType::Double) => Values::Float(raw(&proto.raw_data, |bytes| f64::from_le_bytes(bytes) as f32)?),
            Ok(DataType::Int64) if proto.raw_data.is_empty() => Values::Int(proto.int64_data.clone()),
            Ok(DataType::Int64) => Values::Int(raw(&proto.raw_data, i64::from_le_bytes)?),
            Ok(DataType::Int32 | DataType::Bool) if proto.raw_data.is_empty() => {
                Values::Int(proto.int32_data.iter().map(|&value| i64::from(value)).collect())
            }
            Ok(DataType::Int32) => Values::Int(raw(&proto.raw_data, |bytes| i64::from(i32::from_le_bytes(bytes)))?),
            Ok(DataType::Bool) => Values::Int(raw(&proto.raw_data, |[byte]: [u8; 1]| i64::from(byte))?),
            Ok(_) => return Ok(Self { dims, values: Values::Other }),
            Err(_) => return Err(format!("has elements of the unknown type {}", proto.data_type)),
        };
        let found = match &values {
            Values::Float(values) => values.len(),
            Values::Int(values) => values.len(),
            Values::Other => len,
        };
        if found != len {
            return Err(format!("has {found} elements where its dimensions {dims:?} need {len}"));
        }
        if let Values::Float(values) = &values
            && values.iter().any(|value| value.is_nan())
        {
            return Err("holds a NaN: the training went wrong".into());
        }
        Ok(Self { dims, values })
    }

    /// The elements, if they are floats.
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Float(values) => Some(values),
            Values::Int(_) | Values::Other => None,
        }
    }

    /// The elements, if they are integers.
    pub fn ints(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Int(values) => Some(values),
            Values::Float(_) | Values::Other => None,
        }
    }

    /// The same elements with other dimensions, if they are as many.
    pub fn with_dims(&self, dims: Vec<usize>) -> Option<Self> {
        let len = dims.iter().try_fold(1usize, |len, &size| len.checked_mul(size))?;
        (len == self.dims.iter().product::<usize>()).then(|| Self { dims, values: self.values.clone() })
    }

    /// A matrix with its rows and columns exchanged; `None` for other ranks, for integers and
    /// without elements.
    pub fn transposed(&self) -> Option<Self> {
        let (&[rows, columns], Some(values)) = (&self.dims[..], self.floats()) else { return None };
        if values.is_empty() {
            return None;
        }
        let transposed = (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column]));
        Some(Self { dims: vec![columns, rows], values: Values::Float(transposed.collect()) })
    }
}

fn raw<const N: usize, T>(bytes: &[u8], element: impl Fn([u8; N]) -> T) -> Result<Vec<T>, String> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!("has {} bytes, not a multiple of {N}", bytes.len()));
    }
    Ok(chunks.iter().map(|&chunk| element(chunk)).collect())
}
