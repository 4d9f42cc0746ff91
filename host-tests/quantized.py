"""Writes all 8-bit tensors that ONNX Runtime or LiteRT computes from some inputs.

quantized.py FILE INPUTS OUT SCALE ZERO_POINT COUNT: INPUTS holds COUNT inputs, one byte a value, channels fastest; a byte
stands for SCALE * (byte - ZERO_POINT). For each tensor OUT gets a line of name, dimensions and length, then its bytes for
every input; signed ones plus 128.
"""

import sys

import numpy as np


def unsigned(values):
    return (values.astype(np.int16) + 128).astype(np.uint8) if values.dtype == np.int8 else values


def onnx(path, inputs, scale, zero):
    import onnx
    import onnxruntime

    model = onnx.load(path)
    names = [node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    names += [name for node in model.graph.node if node.op_type.startswith("QLinear") for name in node.output]
    known = {output.name for output in model.graph.output}
    # Their types are left to be inferred.
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    # Without it, processors without VNNI add products in 16 bits, which saturate.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    entry = session.get_inputs()[0]
    dims = [size if isinstance(size, int) else 1 for size in entry.shape]
    for values in inputs:
        if entry.type == "tensor(float)":
            values = (values.astype(np.float32) - np.float32(zero)) * np.float32(scale)
        elif entry.type == "tensor(int8)":
            values = (values.astype(np.int16) - 128).astype(np.int8)
        if len(dims) == 4 and dims[1] < dims[3]:
            values = values.reshape(dims[2], dims[3], dims[1]).transpose(2, 0, 1)
        results = session.run(names, {entry.name: values.reshape(dims)})
        yield {name: unsigned(result) for name, result in zip(names, results)}


def litert(path, inputs):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Its reference kernels: what a microcontroller's runtime is tested against.
    resolver = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(
        model_path=path, experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    written = [index for operator in interpreter._get_ops_details() for index in operator["outputs"]]
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    bytes_ = [index for index in written if details[index]["dtype"] in (np.int8, np.uint8)]
    for values in inputs:
        if entry["dtype"] == np.int8:
            values = (values.astype(np.int16) - 128).astype(np.int8)
        interpreter.set_tensor(entry["index"], values.reshape(entry["shape"]))
        interpreter.invoke()
        yield {f"tensor{index}/bytes": unsigned(interpreter.get_tensor(index)) for index in bytes_}


def main():
    path, inputs, out, scale, zero, count = sys.argv[1:]
    inputs = np.fromfile(inputs, dtype=np.uint8).reshape(int(count), -1)
    runs = litert(path, inputs) if path.endswith(".tflite") else onnx(path, inputs, float(scale), int(zero))
    tensors = {}
    for results in runs:
        for name, result in results.items():
            if result.dtype == np.uint8:
                tensors.setdefault(name, []).append(result)
    with open(out, "wb") as file:
        for name, results in tensors.items():
            dims = " ".join(str(size) for size in results[0].shape)
            raw = b"".join(np.ascontiguousarray(result).tobytes() for result in results)
            file.write(f"{name}\t{dims}\t{len(raw)}\n".encode() + raw)


main()
