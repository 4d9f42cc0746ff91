//! The same network in the forms that exporters give it: each must be the plain one, value for value, and tract must agree.

mod common;

use common::{Graph, Random, float, int, ints};
use prost::Message;
use thumbnet::format::Shape;
use thumbnet_compiler::graph::Network;
use thumbnet_compiler::onnx::Entry;
use thumbnet_compiler::{OnnxModel, float, onnx};
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

const IMAGES: Shape = Shape { height: 8, width: 8, channels: 1 };
/// Values in front of the dense layer: 4 channels of 4x4.
const FLAT: i64 = 64;

/// Everything up to the Flatten.
fn body() -> Graph {
    let pads = || vec![ints("pads", &[1, 1, 1, 1])];
    Graph::new([1, 8, 8])
        .conv("a", [3, 1, 3, 3], pads())
        .node("Relu", "r", &[], vec![])
        .node("MaxPool", "p", &[], vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])
        .conv("b", [4, 3, 3, 3], pads())
        .node("Relu", "s", &[], vec![])
}

fn plain() -> Graph {
    body().classes(FLAT as usize)
}

fn model(graph: Graph) -> pb::ModelProto {
    pb::ModelProto::decode(&graph.bytes()[..]).unwrap()
}

fn graph_of(model: &mut pb::ModelProto) -> &mut pb::GraphProto {
    model.graph.as_mut().unwrap()
}

fn entry() -> Entry {
    Entry { images: Some(IMAGES), ..Entry::default() }
}

fn results(network: &Network) -> Vec<Vec<f32>> {
    let mut random = Random(7);
    let image = |random: &mut Random| (0..network.input.len()).map(|_| (random.next() % 256) as u8).collect();
    (0..3)
        .map(|_| image(&mut random))
        .map(|pixels: Vec<u8>| float::activations(network, &float::image(network, &pixels)).pop().unwrap())
        .collect()
}

/// Compares the network in these bytes with the plain one, and with tract.
#[track_caller]
fn assert_plain_with(bytes: &[u8], entry: &Entry, tolerance: f32, what: &str) -> Network {
    let network = onnx::import_with(bytes, entry).unwrap_or_else(|error| panic!("{what}: {error}"));
    let expected = results(&onnx::import_with(&plain().bytes(), &self::entry()).unwrap());
    let tract = OnnxModel::load_with(bytes, entry).unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut random = Random(7);
    for (found, expected) in results(&network).iter().zip(&expected) {
        let pixels: Vec<u8> = (0..network.input.len()).map(|_| (random.next() % 256) as u8).collect();
        let run = tract.logits(&pixels).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((found.len(), run.len()), (expected.len(), expected.len()), "{what}");
        for ((found, expected), run) in found.iter().zip(expected).zip(&run) {
            assert!((found - expected).abs() < tolerance, "{what}: {found}, plain {expected}");
            assert!((run - expected).abs() < tolerance.max(1e-4), "{what}: tract {run}, plain {expected}");
        }
    }
    network
}

#[track_caller]
fn assert_plain(model: &pb::ModelProto, what: &str) -> Network {
    assert_plain_with(&model.encode_to_vec(), &entry(), 1e-4, what)
}

/// The plain network with other nodes in place of its Flatten.
fn flattened(rest: impl Fn(Graph) -> Graph) -> pb::ModelProto {
    model(rest(body()).dense("classes", 10, FLAT as usize))
}

fn node(op: &str, inputs: &[&str], outputs: &[&str], attribute: Vec<pb::AttributeProto>) -> pb::NodeProto {
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    pb::NodeProto { op_type: op.into(), input: names(inputs), output: names(outputs), attribute, ..Default::default() }
}

fn dims(model: &mut pb::ModelProto) -> &mut Vec<pb::tensor_shape_proto::Dimension> {
    let kind = graph_of(model).input[0].r#type.as_mut().unwrap().value.as_mut().unwrap();
    let pb::type_proto::Value::TensorType(tensor) = kind;
    &mut tensor.shape.get_or_insert_default().dim
}

fn size(value: i64) -> pb::tensor_shape_proto::Dimension {
    let value = Some(pb::tensor_shape_proto::dimension::Value::DimValue(value));
    pb::tensor_shape_proto::Dimension { denotation: String::new(), value }
}

fn open() -> pb::tensor_shape_proto::Dimension {
    pb::tensor_shape_proto::Dimension { denotation: String::new(), value: None }
}

#[test]
fn versions_of_the_operators() {
    for version in 7..=25 {
        let mut model = model(plain());
        model.opset_import[0].version = version;
        assert_plain(&model, &format!("version {version}"));
    }
    let mut model = model(plain());
    model.opset_import.clear();
    assert_plain(&model, "no version");
}

#[test]
fn batches_and_open_sizes() {
    for batch in [vec![1], vec![10], vec![]] {
        let mut model = flattened(|graph| {
            graph.integers("shape", &[batch.first().copied().unwrap_or(-1), FLAT]).node(
                "Reshape",
                "flat",
                &["shape"],
                vec![],
            )
        });
        dims(&mut model)[0] = batch.first().map_or_else(open, |&batch| size(batch));
        assert_plain(&model, &format!("a batch of {batch:?}"));
    }
    let mut any = model(plain());
    dims(&mut any)[1..].fill_with(open);
    assert_plain(&any, "open channels, height and width");
    let graph = graph_of(&mut any);
    let pb::type_proto::Value::TensorType(tensor) = graph.input[0].r#type.as_mut().unwrap().value.as_mut().unwrap();
    tensor.shape = None;
    assert_plain(&any, "no shape at all");
}

#[test]
fn inputs_of_other_forms() {
    let reshaped = |own: &[i64], batch: bool| {
        let mut model =
            model(Graph::of(&[1]).integers("image", &[-1, 1, 8, 8]).node("Reshape", "image_first", &["image"], vec![]));
        let first = graph_of(&mut model).clone();
        let mut rest = self::model(plain());
        let graph = graph_of(&mut rest);
        graph.node.iter_mut().find(|node| node.name == "a").unwrap().input[0] = "image_first_out".into();
        graph.node.splice(0..0, first.node);
        graph.initializer.extend(first.initializer);
        let batch = if batch { vec![open()] } else { vec![] };
        *dims(&mut rest) = batch.into_iter().chain(own.iter().map(|&value| size(value))).collect();
        rest
    };
    assert_plain(&reshaped(&[64], true), "[N, 64]");
    assert_plain(&reshaped(&[8, 8], true), "[N, 8, 8]");
    assert_plain(&reshaped(&[8, 8], false), "[8, 8]");
    assert_plain(&reshaped(&[1, 8, 8], false), "[1, 8, 8]");
    assert_plain(&reshaped(&[8, 8, 1], true), "[N, 8, 8, 1]");
    assert_plain(&reshaped(&[64], false), "[64]");
}

#[test]
fn a_flatten_in_every_spelling() {
    let shape = |target: &'static [i64], more: Vec<pb::AttributeProto>| {
        flattened(move |graph| graph.integers("shape", target).node("Reshape", "flat", &["shape"], more.clone()))
    };
    assert_plain(&shape(&[-1, FLAT], vec![]), "[-1, n]");
    assert_plain(&shape(&[0, -1], vec![]), "[0, -1]");
    assert_plain(&shape(&[1, FLAT], vec![int("allowzero", 1)]), "allowzero");
    assert_plain(&shape(&[1, 4, 16], vec![]).clone().flatten_again(), "twice");
    for axis in [1, -3] {
        assert_plain(&flattened(|graph| graph.node("Flatten", "flat", &[], vec![int("axis", axis)])), "Flatten");
    }
    let shapes = |graph: Graph, nodes: fn() -> Vec<pb::NodeProto>| {
        let mut model = model(graph.dense("classes", 10, FLAT as usize));
        let graph = graph_of(&mut model);
        let place = graph.node.iter().position(|node| node.name == "flat").unwrap();
        graph.node.splice(place..place, nodes());
        model
    };
    let with_constants = || {
        body().integers("zero", &[0]).integers("one", &[1]).integers("rest", &[-1]).node(
            "Reshape",
            "flat",
            &["target"],
            vec![],
        )
    };
    let gathered = || {
        vec![
            node("Shape", &["s_out"], &["of"], vec![]),
            node("Gather", &["of", "zero"], &["batch"], vec![int("axis", 0)]),
            node("Concat", &["batch", "rest"], &["target"], vec![int("axis", 0)]),
        ]
    };
    assert_plain(&shapes(with_constants(), gathered), "Shape, Gather, Concat");
    let sliced = || {
        vec![
            node("Shape", &["input"], &["of"], vec![]),
            node("Cast", &["of"], &["words"], vec![int("to", DataType::Int32 as i64)]),
            node("Cast", &["words"], &["again"], vec![int("to", DataType::Int64 as i64)]),
            node("Slice", &["again", "zero", "one", "zero"], &["batch"], vec![]),
            node("Concat", &["batch", "rest"], &["target"], vec![int("axis", 0)]),
        ]
    };
    assert_plain(&shapes(with_constants(), sliced), "Shape of the image, Cast, Slice, Concat");
    let multiplied = || {
        vec![
            node("Shape", &["s_out"], &["of"], vec![]),
            node("ReduceProd", &["of"], &["all"], vec![int("keepdims", 1)]),
            node("Concat", &["one", "all"], &["target"], vec![int("axis", 0)]),
        ]
    };
    assert_plain(&shapes(with_constants(), multiplied), "Shape, ReduceProd");
}

trait FlattenAgain {
    fn flatten_again(self) -> Self;
}

impl FlattenAgain for pb::ModelProto {
    /// A Flatten in front of the dense layer.
    fn flatten_again(mut self) -> Self {
        let graph = graph_of(&mut self);
        let place = graph.node.iter().position(|node| node.name == "classes").unwrap();
        let before = std::mem::replace(&mut graph.node[place].input[0], "again".into());
        graph.node.insert(place, node("Flatten", &[&before], &["again"], vec![]));
        self
    }
}

#[test]
fn squeezes_in_any_order() {
    let pooled = || body().node("GlobalAveragePool", "g", &[], vec![]);
    let squeezed = |axes: &[i64]| {
        pooled().integers("axes", axes).node("Squeeze", "q", &["axes"], vec![]).dense("d", 10, 4).bytes()
    };
    let expected = onnx::import_with(&squeezed(&[2, 3]), &entry()).unwrap();
    for axes in [&[3, 2][..], &[-1, -2], &[-2, 3]] {
        let bytes = squeezed(axes);
        assert_eq!(onnx::import_with(&bytes, &entry()).unwrap().layers, expected.layers);
        let image: Vec<u8> = (0..64).map(|pixel| pixel * 3).collect();
        let found = OnnxModel::load_with(&bytes, &entry()).unwrap().logits(&image).unwrap();
        let own = float::activations(&expected, &float::image(&expected, &image)).pop().unwrap();
        assert!(found.iter().zip(&own).all(|(a, b)| (a - b).abs() < 1e-4), "{axes:?}");
    }
    let all = pooled().node("Squeeze", "q", &[], vec![]).integers("axes", &[0]);
    let all = all.node("Unsqueeze", "u", &["axes"], vec![]).dense("d", 10, 4);
    assert_eq!(onnx::import_with(&all.bytes(), &entry()).unwrap().layers, expected.layers);
}

#[test]
fn channels_last() {
    // Transposes around every node that wants its channels first, and the dense layer's weights as Keras orders them.
    let mut model = model(plain());
    let graph = graph_of(&mut model);
    let mut nodes = Vec::new();
    for mut own in std::mem::take(&mut graph.node) {
        if ["Conv", "MaxPool"].contains(&own.op_type.as_str()) {
            let (input, output) = (own.input[0].clone(), own.output[0].clone());
            let [first, last] = ["first", "last"].map(|what| format!("{output}/{what}"));
            nodes.push(node("Transpose", &[&input], &[&first], vec![ints("perm", &[0, 3, 1, 2])]));
            (own.input[0], own.output[0]) = (first, last.clone());
            nodes.push(own);
            nodes.push(node("Transpose", &[&last], &[&output], vec![ints("perm", &[0, 2, 3, 1])]));
        } else {
            nodes.push(own);
        }
    }
    graph.node = nodes;
    let weights = graph.initializer.iter_mut().find(|tensor| tensor.name == "classes_w").unwrap();
    let (columns, _) = weights.raw_data.as_chunks::<4>();
    weights.raw_data = columns
        .chunks(FLAT as usize)
        .flat_map(|row| (0..FLAT as usize).flat_map(|index| row[index % 4 * 16 + index / 4]))
        .collect();
    *dims(&mut model) = vec![open(), size(8), size(8), size(1)];
    let network = assert_plain(&model, "channels last");
    assert_eq!(network.layers.len(), 3);
    // A matrix on the last axis is a convolution of single pixels.
    let pointwise = Graph::of(&[6, 6, 3])
        .random("w", &[3, 5], -1.0, 1.0)
        .node("MatMul", "m", &["w"], vec![])
        .node("Relu", "r", &[], vec![])
        .integers("perm", &[])
        .node("Transpose", "t", &[], vec![ints("perm", &[0, 3, 1, 2])])
        .conv("c", [2, 5, 3, 3], vec![]);
    common::import::assert_imports(pointwise);
}

/// The plain network whose initializers were rewritten.
fn stored(rewrite: impl Fn(&mut pb::GraphProto, pb::TensorProto)) -> pb::ModelProto {
    let mut model = model(plain());
    let graph = graph_of(&mut model);
    for tensor in std::mem::take(&mut graph.initializer) {
        rewrite(graph, tensor);
    }
    model
}

fn floats(tensor: &pb::TensorProto) -> Vec<f32> {
    tensor.raw_data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

#[test]
fn weights_in_every_form() {
    let doubles = stored(|graph, mut tensor| {
        let values = floats(&tensor);
        tensor.data_type = DataType::Double as i32;
        tensor.raw_data = values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect();
        graph.initializer.push(tensor);
    });
    assert_plain(&doubles, "doubles");
    let brains = stored(|graph, mut tensor| {
        let values = floats(&tensor);
        tensor.data_type = DataType::Bfloat16 as i32;
        tensor.raw_data = values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect();
        graph.initializer.push(tensor);
    });
    assert_plain_with(&brains.encode_to_vec(), &entry(), 0.1, "brain floats");
    let nodes = stored(|graph, tensor| {
        let value =
            pb::AttributeProto { name: "value".into(), r#type: 4, t: Some(tensor.clone()), ..Default::default() };
        graph.node.insert(0, node("Constant", &[], &[&tensor.name], vec![value]));
    });
    assert_plain(&nodes, "Constant nodes");
    let turned = stored(|graph, mut tensor| {
        if let &[first, second] = &tensor.dims[..] {
            let (values, name) = (floats(&tensor), tensor.name.clone());
            let value = |index: i64| values[(index % first * second + index / first) as usize];
            tensor.raw_data = (0..first * second).flat_map(|index| value(index).to_le_bytes()).collect();
            (tensor.dims, tensor.name) = (vec![second, first], format!("{name}/turned"));
            graph.node.insert(0, node("Transpose", &[&tensor.name], &[&name], vec![]));
        }
        graph.initializer.push(tensor);
    });
    assert_plain(&turned, "a Transpose of the weights");
    let sparse = stored(|graph, tensor| {
        let places: Vec<i64> = (0..floats(&tensor).len() as i64).collect();
        let indices = pb::TensorProto {
            data_type: DataType::Int64 as i32,
            dims: vec![places.len() as i64],
            raw_data: places.iter().flat_map(|place| place.to_le_bytes()).collect(),
            ..Default::default()
        };
        let dims = tensor.dims.clone();
        let values = pb::TensorProto { dims: vec![places.len() as i64], ..tensor };
        graph.sparse_initializer.push(pb::SparseTensorProto { values: Some(values), indices: Some(indices), dims });
    });
    assert_plain(&sparse, "sparse initializers");
}

#[test]
fn data_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = std::cell::RefCell::new(Vec::new());
    let located = |location: &str| {
        data.borrow_mut().clear();
        stored(|graph, mut tensor| {
            let (offset, bytes) = (data.borrow().len(), std::mem::take(&mut tensor.raw_data));
            let entries = [
                ("location", location.to_string()),
                ("offset", offset.to_string()),
                ("length", bytes.len().to_string()),
            ];
            let entry = |(key, value): (&str, String)| pb::StringStringEntryProto { key: key.into(), value };
            tensor.external_data = entries.into_iter().map(entry).collect();
            tensor.data_location = Some(1);
            data.borrow_mut().extend(bytes);
            graph.initializer.push(tensor);
        })
    };
    let model = located("weights.data");
    std::fs::write(folder.path().join("weights.data"), &*data.borrow()).unwrap();
    let beside = Entry { folder: Some(folder.path().into()), ..entry() };
    assert_plain_with(&model.encode_to_vec(), &beside, 1e-4, "external data");
    let refused = |model: &pb::ModelProto, entry: &Entry, text: &str| {
        let error = onnx::import_with(&model.encode_to_vec(), entry).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    refused(&model, &entry(), "export the model as one file");
    refused(&located("../weights.data"), &beside, "not beside the model");
    refused(&located("missing.data"), &beside, "must lie beside the model");
    std::fs::write(folder.path().join("weights.data"), &data.borrow()[..100]).unwrap();
    refused(&model, &beside, "which has 100");
}

#[test]
fn graphs_in_any_order_and_of_functions() {
    let mut reversed = model(plain());
    graph_of(&mut reversed).node.reverse();
    assert_plain(&reversed, "reversed");
    let mut alike = model(plain());
    graph_of(&mut alike).node.iter_mut().for_each(|node| node.name = "node".into());
    assert_plain(&alike, "nodes of one name");
    let mut leftovers = model(plain());
    let graph = graph_of(&mut leftovers);
    graph.node.insert(0, node("Shape", &["input"], &["dead"], vec![]));
    graph.node.push(node("Elephant", &["r_out"], &["deader"], vec![]));
    assert_plain(&leftovers, "leftovers");
    let mut outputs = model(plain());
    let embedding = pb::ValueInfoProto { name: "flatten_out".into(), ..Default::default() };
    graph_of(&mut outputs).output.insert(0, embedding);
    let network = assert_plain(&outputs, "two outputs");
    assert!(network.notes[0].contains("flatten_out left out"), "{:?}", network.notes);
    // A function of two nodes that calls another one with an attribute.
    let mut functions = model(plain());
    let inner = pb::FunctionProto {
        name: Some("Pool".into()),
        domain: Some("local".into()),
        input: vec!["x".into()],
        output: vec!["y".into()],
        attribute: vec!["size".into()],
        node: vec![node(
            "MaxPool",
            &["x"],
            &["y"],
            vec![
                pb::AttributeProto {
                    name: "kernel_shape".into(),
                    ref_attr_name: "size".into(),
                    r#type: 7,
                    ..Default::default()
                },
                ints("strides", &[2, 2]),
            ],
        )],
        ..Default::default()
    };
    let call = node("Pool", &["t"], &["y"], vec![ints("size", &[2, 2])]);
    let outer = pb::FunctionProto {
        name: Some("Block".into()),
        domain: Some("local".into()),
        input: vec!["x".into()],
        output: vec!["y".into()],
        node: vec![node("Relu", &["x"], &["t"], vec![]), pb::NodeProto { domain: "local".into(), ..call }],
        ..Default::default()
    };
    functions.functions = vec![outer.clone(), inner];
    let graph = graph_of(&mut functions);
    graph.node.retain(|node| node.name != "p");
    let relu = graph.node.iter_mut().find(|node| node.name == "r").unwrap();
    (relu.op_type, relu.domain, relu.output) = ("Block".into(), "local".into(), vec!["p_out".into()]);
    assert_plain(&functions, "functions");
    let endless = pb::FunctionProto {
        node: vec![pb::NodeProto { domain: "local".into(), ..node("Block", &["x"], &["y"], vec![]) }],
        ..outer
    };
    functions.functions[0] = endless;
    let error = onnx::import(&functions.encode_to_vec()).unwrap_err().to_string();
    assert!(error.contains("call themselves"), "{error}");
    let mut ring = model(plain());
    graph_of(&mut ring).node[0].input[0] = "s_out".into();
    assert!(onnx::import(&ring.encode_to_vec()).unwrap_err().to_string().contains("ring of nodes"));
}

#[test]
fn what_an_optimizer_and_old_exporters_wrote() {
    let mut fused = model(plain());
    let graph = graph_of(&mut fused);
    graph.node.retain(|node| node.name != "r");
    let conv = graph.node.iter_mut().find(|node| node.name == "a").unwrap();
    (conv.op_type, conv.domain, conv.output) = ("FusedConv".into(), "com.microsoft".into(), vec!["r_out".into()]);
    conv.attribute.push(common::text("activation", "Relu"));
    assert_plain(&fused, "FusedConv");
    for dropout in [
        node("Dropout", &["s_out"], &["d", "mask"], vec![float("ratio", 0.3)]),
        node("Dropout", &["s_out"], &["d"], vec![int("is_test", 1)]),
    ] {
        let mut model = model(plain());
        let graph = graph_of(&mut model);
        let place = graph.node.iter().position(|node| node.name == "flatten").unwrap();
        graph.node[place].input[0] = "d".into();
        graph.node.insert(place, dropout);
        assert_plain(&model, "Dropout");
    }
    // A bias that is left out by an empty name.
    let mut empty = model(plain());
    let graph = graph_of(&mut empty);
    let place = graph.node.iter().position(|node| node.name == "b").unwrap();
    let bias = std::mem::take(&mut graph.node[place].input[2]);
    graph.node[place].output = vec!["bare".into()];
    graph.initializer.iter_mut().find(|tensor| tensor.name == bias).unwrap().dims = vec![4, 1, 1];
    graph.node.insert(place + 1, node("Add", &["bare", &bias], &["b_out"], vec![]));
    assert_plain(&empty, "an empty name");
    // A bias that begins at the channels, as version 6 said it.
    let mut old = model(plain());
    let graph = graph_of(&mut old);
    let place = graph.node.iter().position(|node| node.name == "a").unwrap();
    let bias = graph.node[place].input.pop().unwrap();
    graph.node[place].output = vec!["bare".into()];
    graph.node.insert(place + 1, node("Add", &["bare", &bias], &["a_out"], vec![int("axis", 1), int("broadcast", 1)]));
    old.opset_import[0].version = 6;
    assert_plain(&old, "an Add with axis and broadcast");
}

#[test]
fn endings_leave_the_logits() {
    let ended = |ops: &[(&str, Vec<pb::AttributeProto>)]| {
        let graph = ops.iter().fold(plain(), |graph, (op, more)| graph.node(op, op, &[], more.clone()));
        let network = assert_plain(&model(graph), ops[0].0);
        assert!(network.notes.iter().any(|note| note.contains("left out")), "{:?}", network.notes);
        assert_eq!(network.layers.len(), 3);
    };
    ended(&[("Softmax", vec![int("axis", 1)])]);
    ended(&[("LogSoftmax", vec![int("axis", -1)])]);
    ended(&[("Softmax", vec![]), ("Log", vec![])]);
    ended(&[("Softmax", vec![]), ("Identity", vec![])]);
    ended(&[("Sigmoid", vec![])]);
    ended(&[("ArgMax", vec![int("axis", 1)])]);
    ended(&[("Softmax", vec![]), ("ArgMax", vec![int("axis", -1), int("keepdims", 0)])]);
    let refused = |op: &str, more, text: &str| {
        let error = onnx::import(&plain().node(op, "end", &[], more).bytes()).unwrap_err().to_string();
        assert!(error.contains("node end") && error.contains(text), "{error}");
    };
    refused("Softmax", vec![int("axis", 0)], "not over all classes");
    refused("ArgMax", vec![int("axis", 0)], "not over all classes");
    // One output and a Sigmoid: its logit, whose sign is the class.
    let one = body().node("Flatten", "f", &[], vec![]).dense("one", 1, FLAT as usize);
    let network = onnx::import(&one.node("Sigmoid", "end", &[], vec![]).bytes()).unwrap();
    assert_eq!(network.layers, onnx::import(&one_logit().bytes()).unwrap().layers);
}

fn one_logit() -> Graph {
    body().node("Flatten", "f", &[], vec![]).dense("one", 1, FLAT as usize)
}

#[test]
fn bytes_that_the_network_divides_itself() {
    let mut model = model(plain());
    let graph = graph_of(&mut model);
    graph.node[0].input[0] = "scaled".into();
    graph.node.splice(
        0..0,
        [
            node("Cast", &["input"], &["reals"], vec![int("to", DataType::Float as i64)]),
            node("Div", &["reals", "largest"], &["scaled"], vec![]),
        ],
    );
    graph.initializer.push(pb::TensorProto {
        name: "largest".into(),
        data_type: DataType::Float as i32,
        float_data: vec![255.0],
        ..Default::default()
    });
    let pb::type_proto::Value::TensorType(tensor) = graph.input[0].r#type.as_mut().unwrap().value.as_mut().unwrap();
    tensor.elem_type = DataType::Uint8 as i32;
    // Whatever is said of its input, bytes are bytes.
    for entry in [entry(), Entry { images: Some(IMAGES), ..Entry::of(2.0 / 255.0, -1.0) }] {
        assert_plain_with(&model.encode_to_vec(), &entry, 1e-4, "bytes");
    }
}

#[test]
fn softplus_is_what_it_is() {
    // tract alone is off by 0.6 for some values.
    let network = common::import::assert_imports(body().node("Softplus", "soft", &[], vec![]));
    assert_eq!(network.layers.len(), 3);
}

#[test]
fn hostile_constants_are_refused() {
    let huge = |op: &str, target: &[i64]| {
        let mut model = model(plain());
        let graph = graph_of(&mut model);
        graph.node.insert(0, node(op, &["target"], &["classes_b"], vec![]));
        graph.initializer.retain(|tensor| tensor.name != "classes_b");
        graph.initializer.push(pb::TensorProto {
            name: "target".into(),
            data_type: DataType::Int64 as i32,
            dims: vec![target.len() as i64],
            int64_data: target.to_vec(),
            ..Default::default()
        });
        onnx::import(&model.encode_to_vec()).unwrap_err().to_string()
    };
    assert!(huge("ConstantOfShape", &[1 << 40]).contains("more than"));
    assert!(huge("ConstantOfShape", &[1 << 40, 1 << 40]).contains("more than"));
    assert!(huge("RandomNormal", &[3]).contains("not known here"));
    assert!(huge("Squeeze", &[3, 4]).contains("bias"), "{}", huge("Squeeze", &[3, 4]));
}
