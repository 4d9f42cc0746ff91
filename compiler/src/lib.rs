//! Turns an ONNX network into a quantized, planned, packed model.
