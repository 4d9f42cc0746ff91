//! Constant tensors of an ONNX graph.

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::prelude::f16;

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
    /// 32-bit floats; those of other sizes are converted.
    Float(Vec<f32>),
    /// Integers of this type, and truth values.
    Int(Vec<i64>, DataType),
    /// Elements of a type that no operator here reads; not kept.
    Other,
}

impl Values {
    /// How many there are; none where they are not kept.
    fn count(&self) -> Option<usize> {
        match self {
            Self::Float(values) => Some(values.len()),
            Self::Int(values, _) => Some(values.len()),
            Self::Other => None,
        }
    }
}

impl Tensor {
    /// A constant of floats; `dims` must be those of as many.
    pub fn of_floats(dims: Vec<usize>, values: Vec<f32>) -> Self {
        Self { dims, values: Values::Float(values) }
    }

    /// Integers of this type; `dims` must be those of as many.
    pub fn of_ints_as(dims: Vec<usize>, values: Vec<i64>, kind: DataType) -> Self {
        Self { dims, values: Values::Int(values, kind) }
    }

    /// A row of integers.
    pub fn of_ints(values: Vec<i64>) -> Self {
        Self { dims: vec![values.len()], values: Values::Int(values, DataType::Int64) }
    }

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
        let Ok(kind) = DataType::try_from(proto.data_type) else {
            return Err(format!("has elements of the unknown type {}", proto.data_type));
        };
        let values = values(proto, kind)?;
        if let Some(found) = values.count().filter(|&found| found != len) {
            return Err(format!("has {found} elements where its dimensions {dims:?} need {len}"));
        }
        Ok(Self { dims, values })
    }

    /// As it is stored in a file.
    pub fn proto(&self, name: &str) -> pb::TensorProto {
        let mut proto = pb::TensorProto {
            name: name.into(),
            dims: self.dims.iter().map(|&size| size as i64).collect(),
            ..Default::default()
        };
        match &self.values {
            Values::Float(values) => {
                proto.data_type = DataType::Float as i32;
                proto.raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            }
            Values::Int(values, kind) => {
                proto.data_type = *kind as i32;
                // Integers are little endian, so that the first bytes are those of a shorter one.
                let size = size_of_int(*kind);
                proto.raw_data = values.iter().flat_map(|value| value.to_le_bytes().into_iter().take(size)).collect();
            }
            Values::Other => {}
        }
        proto
    }

    /// Refuses what training must not leave behind.
    pub fn expect_numbers(&self) -> Result<(), String> {
        match self.floats().is_some_and(|values| values.iter().any(|value| value.is_nan())) {
            true => Err("holds a NaN: the training went wrong".into()),
            false => Ok(()),
        }
    }

    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.dims.iter().product()
    }

    /// The elements, if they are floats.
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Float(values) => Some(values),
            Values::Int(..) | Values::Other => None,
        }
    }

    /// The type of the elements, if they are integers.
    pub fn int_type(&self) -> Option<DataType> {
        match &self.values {
            Values::Int(_, kind) => Some(*kind),
            Values::Float(_) | Values::Other => None,
        }
    }

    /// The elements, if they are integers.
    pub fn ints(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Int(values, _) => Some(values),
            Values::Float(_) | Values::Other => None,
        }
    }
}

/// Bytes of an integer of this type.
fn size_of_int(kind: DataType) -> usize {
    match kind {
        DataType::Bool | DataType::Uint8 | DataType::Int8 => 1,
        DataType::Uint16 | DataType::Int16 => 2,
        DataType::Uint32 | DataType::Int32 => 4,
        _ => 8,
    }
}

fn values(proto: &pb::TensorProto, kind: DataType) -> Result<Values, String> {
    let bytes = &proto.raw_data;
    let (stored, words) = (!bytes.is_empty(), &proto.int32_data);
    let halves = |convert: fn(u16) -> f32| match stored {
        true => raw(bytes, |bytes| convert(u16::from_le_bytes(bytes))),
        false => Ok(words.iter().map(|&word| convert(word as u16)).collect()),
    };
    let floats = match kind {
        DataType::Float if stored => Some(raw(bytes, f32::from_le_bytes)),
        DataType::Float => Some(Ok(proto.float_data.clone())),
        DataType::Double if stored => Some(raw(bytes, |bytes| f64::from_le_bytes(bytes) as f32)),
        DataType::Double => Some(Ok(proto.double_data.iter().map(|&value| value as f32).collect())),
        DataType::Float16 => Some(halves(|bits| f16::from_bits(bits).to_f32())),
        DataType::Bfloat16 => Some(halves(|bits| f32::from_bits(u32::from(bits) << 16))),
        _ => None,
    };
    if let Some(floats) = floats {
        return floats.map(Values::Float);
    }
    let ints = match kind {
        DataType::Int64 if stored => raw(bytes, i64::from_le_bytes)?,
        DataType::Int64 => proto.int64_data.clone(),
        DataType::Uint64 if stored => raw(bytes, |bytes| u64::from_le_bytes(bytes) as i64)?,
        DataType::Uint32 if stored => raw(bytes, |bytes| u32::from_le_bytes(bytes).into())?,
        DataType::Uint64 | DataType::Uint32 => proto.uint64_data.iter().map(|&value| value as i64).collect(),
        DataType::Int32 if stored => raw(bytes, |bytes| i32::from_le_bytes(bytes).into())?,
        DataType::Uint16 if stored => raw(bytes, |bytes| u16::from_le_bytes(bytes).into())?,
        DataType::Int16 if stored => raw(bytes, |bytes| i16::from_le_bytes(bytes).into())?,
        DataType::Int8 if stored => raw(bytes, |bytes| i8::from_le_bytes(bytes).into())?,
        DataType::Uint8 | DataType::Bool if stored => raw(bytes, |[byte]: [u8; 1]| byte.into())?,
        DataType::Int32 | DataType::Uint16 | DataType::Int16 | DataType::Int8 | DataType::Uint8 | DataType::Bool => {
            words.iter().map(|&word| word.into()).collect()
        }
        _ => return Ok(Values::Other),
    };
    Ok(Values::Int(ints, kind))
}

fn raw<const N: usize, T>(bytes: &[u8], element: impl Fn([u8; N]) -> T) -> Result<Vec<T>, String> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!("has {} bytes, not a multiple of {N}", bytes.len()));
    }
    Ok(chunks.iter().map(|&chunk| element(chunk)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(kind: DataType, raw_data: &[u8], dims: &[i64]) -> Tensor {
        let raw_data = raw_data.to_vec();
        Tensor::read(&pb::TensorProto { data_type: kind as i32, dims: dims.to_vec(), raw_data, ..Default::default() })
            .unwrap()
    }

    #[test]
    fn floats_of_all_sizes_are_floats() {
        // 1.5 and -2 as halves, as brain floats, as doubles.
        let halves = stored(DataType::Float16, &[0x00, 0x3e, 0x00, 0xc0], &[2]);
        let brains = stored(DataType::Bfloat16, &[0xc0, 0x3f, 0x00, 0xc0], &[2]);
        let doubles = stored(DataType::Double, &[1.5f64.to_le_bytes(), (-2f64).to_le_bytes()].concat(), &[2]);
        for tensor in [halves, brains, doubles] {
            assert_eq!(tensor, Tensor::of_floats(vec![2], vec![1.5, -2.0]));
        }
        // In place of raw bytes, the bits of a half are integers.
        let words = pb::TensorProto { data_type: 10, dims: vec![1], int32_data: vec![0x3e00], ..Default::default() };
        assert_eq!(Tensor::read(&words).unwrap(), Tensor::of_floats(vec![1], vec![1.5]));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (kind, bytes) in [
            (DataType::Int8, &[0xff, 0x7f][..]),
            (DataType::Uint8, &[0xff, 0x7f]),
            (DataType::Int32, &[0xfe, 0xff, 0xff, 0xff, 1, 0, 0, 0]),
            (DataType::Bool, &[1, 0]),
        ] {
            let tensor = stored(kind, bytes, &[2]);
            assert_eq!(Tensor::read(&tensor.proto("t")), Ok(tensor));
        }
        assert_eq!(stored(DataType::Int8, &[0xff], &[1]).ints(), Some(&[-1][..]));
    }
}
