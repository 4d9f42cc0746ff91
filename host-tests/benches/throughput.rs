//! How fast the host classifies: the core, and tract on the same integers and on the float network.
//!
//! Times depend on the machine; nothing is asserted about them. `cargo xtask bench --host` makes a table of them.

use std::fs;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use host_tests::shipped::{self, TEST_IMAGES};
use thumbnet::{Model, Network};
use thumbnet_compiler::OnnxModel;

fn shipped_models(criterion: &mut Criterion) {
    let pixels = TEST_IMAGES.image(0);
    for name in &shipped::names().expect("models ship") {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        let bytes = shipped::read(name).expect("the model ships");
        let model = Model::parse(&bytes).expect("a shipped model parses");
        let mut arena = vec![0; model.arena_len()];
        let mut network = Network::new(&model, &mut arena).expect("the arena has the model's length");
        group.bench_function("thumbnet", |bencher| {
            bencher.iter(|| network.classify(pixels).expect("the image has the model's size").class())
        });
        for (what, file) in [("tract-int8", "model.qdq.onnx"), ("tract-float", "model.onnx")] {
            let onnx = fs::read(shipped::path(name, file)).expect("the ONNX files ship");
            let network = OnnxModel::load(&onnx).expect("tract reads it");
            group.bench_function(what, |bencher| bencher.iter(|| network.logits(pixels).expect("tract runs it")));
        }
        group.finish();
    }
}

criterion_group!(benches, shipped_models);
criterion_main!(benches);
