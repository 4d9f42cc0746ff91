//! The four networks of the field's benchmark, with random weights: core = reference = every emulated board that has room,
//! bit for bit, and tract and ONNX Runtime on the same integers as ONNX within their roundings.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use dataset::Dataset;
use host_tests::rig::Rig;
use host_tests::steps::{Bounds, Differences};
use host_tests::{models, networks, reference, runtimes};
use thumbnet::format::Shape;
use thumbnet::{Model, Network};
use thumbnet_compiler::{Core, Optimize, pack, qdq};
use thumbnet_device::Board;

const NETWORKS: [&str; 4] = ["keyword", "image", "wakeword", "anomaly"];
/// Inputs for the reference and the runtimes; a board gets the first.
const INPUTS: usize = 3;

/// A network with its inputs and what the core makes of them.
struct Case {
    name: &'static str,
    tnet: Vec<u8>,
    qdq: Vec<u8>,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<i32>>,
}

impl Case {
    fn new(name: &'static str) -> Result<Self> {
        let integers = models::random(&networks::find(name)?)?;
        let qdq = qdq::write(&integers, name, &[]);
        let mut outputs: Vec<Vec<Vec<i32>>> = Vec::new();
        let mut files = Vec::new();
        let inputs: Vec<Vec<u8>> = (0..INPUTS).map(|index| networks::input(integers.input, index)).collect();
        for optimize in Optimize::ALL {
            let tnet = pack::pack(&integers, name, optimize, Core::default())?;
            let model = Model::parse(&tnet)?;
            let mut arena = vec![0xa5; model.arena_len()];
            let mut network = Network::new(&model, &mut arena)?;
            let run = |input: &Vec<u8>| Ok(network.classify(input)?.logits().iter().collect());
            outputs.push(inputs.iter().map(run).collect::<Result<_>>()?);
            files.push(tnet);
        }
        ensure!(outputs.iter().all(|other| *other == outputs[0]), "{name}: the goals differ");
        // A network whose layers give nothing but zeros would agree with anything.
        ensure!(outputs[0][0] != outputs[0][1], "{name}: the same for any input");
        // The reference reads weights as they are: those of the goal without Winograd.
        let tnet = files.swap_remove(1);
        Ok(Self { name, tnet, qdq, inputs, outputs: outputs.swap_remove(0) })
    }

    fn model(&self) -> Model<'_> {
        Model::parse(&self.tnet).expect("it was parsed when it was made")
    }

    /// The inputs as a set of images, their channels side by side.
    fn dataset(&self) -> Result<Dataset> {
        let Shape { height, .. } = self.model().input();
        let (count, width) = (self.inputs.len() as u32, self.model().input_row_len() as u32);
        let head = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let pixels = [head(&[0x803, count, height.into(), width]), self.inputs.concat()].concat();
        let labels = [head(&[0x801, count]), vec![0; self.inputs.len()]].concat();
        Ok(Dataset::from_bytes(&pixels, &labels)?)
    }

    fn expect_reference(&self) -> Result<Vec<Vec<Vec<i32>>>> {
        let model = self.model();
        let mut layers = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            ensure!(reference::logits(&model, input) == self.outputs[index], "{}, input {index}", self.name);
            layers.push(reference::outputs(&model, input));
        }
        Ok(layers)
    }

    fn expect_runtimes(&self, ours: &[Vec<Vec<i32>>]) -> Result<()> {
        let (exposed, bounds) = (qdq::expose_layers(&self.qdq)?, Bounds::of(&self.model()));
        for (name, runtime) in runtimes::ALL {
            let mut differences = Differences::default();
            for (ours, theirs) in ours.iter().zip(&runtime(&exposed, &self.dataset()?)?) {
                let compared = bounds.compare(ours, theirs, &mut differences);
                compared.map_err(|difference| anyhow::anyhow!("{}, {name}: {difference}", self.name))?;
            }
            let mut steps = BTreeMap::new();
            for histogram in &differences.layers {
                histogram.0.iter().enumerate().for_each(|(step, count)| *steps.entry(step).or_insert(0) += count);
            }
            println!("{}, {name}: bytes of layers by their difference {steps:?}", self.name);
        }
        Ok(())
    }
}

#[test]
fn the_benchmark_s_networks_give_the_same_everywhere() -> Result<()> {
    let cases = NETWORKS.map(Case::new).into_iter().collect::<Result<Vec<_>>>()?;
    for case in &cases {
        let layers = case.expect_reference()?;
        case.expect_runtimes(&layers)?;
    }
    for board in Board::measured() {
        let rig = Rig::build(board)?;
        let mut fitting = Vec::new();
        for case in &cases {
            let model = case.model();
            if let Err(reason) = rig.fits(&model) {
                println!("{} on {}: left out, {reason}", case.name, board.name);
                continue;
            }
            let counts =
                rig.run(&model, &case.inputs[0]).with_context(|| format!("{} on {}", case.name, board.name))?;
            ensure!(counts.logits == case.outputs[0], "{} on {}: other outputs", case.name, board.name);
            fitting.push(case.name);
        }
        println!("{}: as on the host: {}", board.name, fitting.join(", "));
        ensure!(!fitting.is_empty(), "{} has room for none", board.name);
    }
    Ok(())
}
