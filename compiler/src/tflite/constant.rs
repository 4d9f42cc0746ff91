//! Constant tensors of a TFLite file.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::f16;
use tract_tflite::tflite::TensorType;

use super::Reader;
use crate::CompileError;
use crate::onnx::{Tensor, writer};

/// How the dimensions of weights change places: the file's axis that each of ONNX's is.
pub type Order = &'static [usize];

impl Reader<'_> {
    /// The elements of a constant tensor; `None` of one that is computed.
    pub fn constant(&self, index: i32) -> Result<Option<Tensor>, CompileError> {
        let tensor = self.tensor(index)?;
        let title = self.title(index);
        let wrong = |what: &str| CompileError::Onnx(format!("the tensor {title} of the TFLite file {what}"));
        let buffers = self.model.buffers();
        let place = tensor.buffer() as usize;
        let buffer = buffers.filter(|buffers| place < buffers.len()).map(|buffers| buffers.get(place));
        let Some(data) = buffer.and_then(|buffer| buffer.data()).filter(|data| !data.is_empty()) else {
            return Ok(None);
        };
        if tensor.sparsity().is_some() {
            return Err(wrong("is sparse: convert the network without sparse weights"));
        }
        let dims: Option<Vec<usize>> = tensor.shape().iter().flatten().map(|size| usize::try_from(size).ok()).collect();
        let dims = dims.ok_or_else(|| wrong("has a negative dimension"))?;
        let bytes = data.bytes();
        let len = dims.iter().try_fold(1usize, |len, &size| len.checked_mul(size)).unwrap_or(usize::MAX);
        let size = match tensor.type_() {
            TensorType::FLOAT32 | TensorType::INT32 => 4,
            TensorType::FLOAT16 | TensorType::INT16 => 2,
            TensorType::INT8 | TensorType::UINT8 | TensorType::BOOL => 1,
            TensorType::INT64 => 8,
            other => {
                let name = other.variant_name().unwrap_or("unknown");
                return Err(wrong(&format!("has elements of type {name}: convert it with 32-bit floats or int8")));
            }
        };
        if len.checked_mul(size) != Some(bytes.len()) {
            return Err(wrong(&format!("has {} bytes where its dimensions {dims:?} need {len} x {size}", bytes.len())));
        }
        fn each<const N: usize, T>(bytes: &[u8], element: impl Fn([u8; N]) -> T) -> Vec<T> {
            bytes.as_chunks::<N>().0.iter().map(|&chunk| element(chunk)).collect()
        }
        let ints = |values: Vec<i64>, kind| Tensor::of_ints_as(dims.clone(), values, kind);
        Ok(Some(match tensor.type_() {
            TensorType::FLOAT32 => Tensor::of_floats(dims, each(bytes, f32::from_le_bytes)),
            TensorType::FLOAT16 => {
                Tensor::of_floats(dims, each(bytes, |half| f16::from_bits(u16::from_le_bytes(half)).to_f32()))
            }
            TensorType::INT32 => ints(each(bytes, |number| i32::from_le_bytes(number).into()), DataType::Int32),
            TensorType::INT16 => ints(each(bytes, |number| i16::from_le_bytes(number).into()), DataType::Int16),
            TensorType::INT64 => ints(each(bytes, i64::from_le_bytes), DataType::Int64),
            TensorType::INT8 => ints(each(bytes, |[byte]| i64::from(byte as i8)), DataType::Int8),
            _ => ints(each(bytes, |[byte]| i64::from(byte)), DataType::Uint8),
        }))
    }

    /// The integers of a constant, such as axes or sizes.
    pub fn integers(&self, index: i32) -> Result<Option<Vec<i64>>, CompileError> {
        Ok(self.constant(index)?.and_then(|tensor| tensor.ints().map(<[i64]>::to_vec)))
    }

    /// The name of a tensor as real values, with its dimensions in this order and then these if they are given: a constant is
    /// added to the graph, dequantized if it is of integers; of a computed one `order` and `dims` must be none.
    pub fn real(&mut self, index: i32, order: Option<Order>, dims: Option<Vec<usize>>) -> Result<String, CompileError> {
        let name = self.name(index);
        let Some(mut tensor) = self.constant(index)? else { return Ok(name) };
        if let Some(order) = order {
            tensor = turned(&tensor, order);
        }
        if let Some(dims) = dims {
            tensor.dims = dims;
        }
        if tensor.floats().is_some() {
            self.add(&name, tensor);
            return Ok(name);
        }
        let quantization = self.tensor(index)?.quantization();
        let scales: Vec<f32> = quantization.and_then(|q| q.scale()).iter().flatten().collect();
        if scales.is_empty() {
            self.add(&name, tensor);
            return Ok(name);
        }
        let mut zeros: Vec<i64> = quantization.and_then(|q| q.zero_point()).iter().flatten().collect();
        zeros.resize(scales.len(), 0);
        let kind = tensor.int_type().unwrap_or(DataType::Int8);
        let place = quantization.map_or(0, |q| q.quantized_dimension());
        // Where the dimension that has the scales is now.
        let axis =
            order.and_then(|order| order.iter().position(|&axis| axis as i32 == place)).unwrap_or(place as usize);
        let count = if scales.len() == 1 { vec![] } else { vec![scales.len()] };
        let [ints, scale, zero] = ["integers", "scale", "zero_point"].map(|what| format!("{name}/{what}"));
        if !self.constants.contains(&ints) {
            self.add(&ints, tensor);
            self.add(&scale, Tensor::of_floats(count.clone(), scales));
            self.add(&zero, Tensor::of_ints_as(count, zeros, kind));
            let attribute = vec![writer::int("axis", axis as i64)];
            self.node(index, "DequantizeLinear", &name, &[&ints, &scale, &zero], attribute);
        }
        Ok(name)
    }
}

/// A tensor with its dimensions in another order.
fn turned(tensor: &Tensor, order: Order) -> Tensor {
    if order.len() != tensor.dims.len() {
        return tensor.clone();
    }
    let dims: Vec<usize> = order.iter().map(|&axis| tensor.dims[axis]).collect();
    let step = |axis: usize| tensor.dims[axis + 1..].iter().product::<usize>();
    let steps: Vec<usize> = order.iter().map(|&axis| step(axis)).collect();
    let place = |index: usize| {
        let (mut rest, mut place) = (index, 0);
        for (&size, &step) in dims.iter().zip(&steps).rev() {
            place += rest % size * step;
            rest /= size;
        }
        place
    };
    let places = 0..tensor.dims.iter().product();
    match (tensor.floats(), tensor.ints(), tensor.int_type()) {
        (Some(values), ..) => Tensor::of_floats(dims.clone(), places.map(|index| values[place(index)]).collect()),
        (_, Some(values), Some(kind)) => {
            Tensor::of_ints_as(dims.clone(), places.map(|index| values[place(index)]).collect(), kind)
        }
        _ => tensor.clone(),
    }
}
