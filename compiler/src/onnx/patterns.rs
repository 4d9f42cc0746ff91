//! Activations that exporters spell out as several nodes, read as the one operator that they are.
//!
//! All of them are `x * gate(x)`, or that with a constant: `gate` is a few nodes that take one tensor each.

use std::collections::HashMap;

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;

use super::{Node, Tensor, Values, ops, readers};

/// Most nodes of a gate.
const MAX_STEPS: usize = 6;

/// One node of a gate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Add(f32),
    Mul(f32),
    Clip(f32, f32),
    Sigmoid,
    HardSigmoid(f32, f32),
    Softplus,
    Tanh,
    Erf,
}

/// An operator, its alpha if it has one, and what its result is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Whole {
    op: &'static str,
    alpha: Option<f32>,
    factor: f32,
}

/// Replaces each such spelling; nodes that nobody reads any more stay.
pub fn rewrite(nodes: &mut Vec<pb::NodeProto>, constants: &mut HashMap<String, Tensor>, output: &str) {
    let readers = readers(nodes, output);
    let found: Vec<(usize, String, Whole)> = {
        let graph = Graph { nodes, constants, readers: &readers };
        (0..nodes.len()).filter_map(|index| graph.product(index).map(|(root, whole)| (index, root, whole))).collect()
    };
    // From the end, so that the places before stay what they are.
    for (index, root, whole) in found.into_iter().rev() {
        let result = nodes[index].output.first().cloned().unwrap_or_default();
        let activated = if whole.factor == 1.0 { result } else { format!("{result}/activation") };
        let attribute = whole.alpha.map(alpha).into_iter().collect();
        let name = nodes[index].name.clone();
        let output = vec![activated.clone()];
        let node = pb::NodeProto {
            input: vec![root],
            output,
            name,
            op_type: whole.op.into(),
            attribute,
            ..Default::default()
        };
        if whole.factor == 1.0 {
            nodes[index] = node;
            continue;
        }
        let factor = format!("{activated}/factor");
        constants.insert(factor.clone(), Tensor { dims: vec![], values: Values::Float(vec![whole.factor]) });
        nodes[index].input = vec![activated, factor];
        nodes.insert(index, node);
    }
}

fn alpha(value: f32) -> pb::AttributeProto {
    pb::AttributeProto { name: "alpha".into(), r#type: AttributeType::Float as i32, f: value, ..Default::default() }
}

struct Graph<'g> {
    nodes: &'g [pb::NodeProto],
    constants: &'g HashMap<String, Tensor>,
    readers: &'g HashMap<String, usize>,
}

impl Graph<'_> {
    /// The tensor and the operator of a product of a tensor and its gate.
    fn product(&self, index: usize) -> Option<(String, Whole)> {
        let [a, b] = self.nodes.get(index).filter(|node| node.op_type == "Mul")?.input.as_slice() else { return None };
        [(a, b), (b, a)].into_iter().find_map(|(value, gate)| {
            let gated = |root: &str, factor: f32| {
                let steps = self.steps(gate, root, index)?;
                let whole = whole(&steps)?;
                Some((root.to_string(), Whole { factor: whole.factor * factor, ..whole }))
            };
            // The constant may stand with the other side: (0.5 * x) * gate.
            let scaled = || match self.step(value, index)? {
                (Step::Mul(factor), root, _) => gated(&root, factor),
                _ => None,
            };
            gated(value, 1.0).or_else(scaled)
        })
    }

    /// The steps from `root` to `gate`, which nobody else reads; `end` is a place behind them.
    fn steps(&self, gate: &str, root: &str, end: usize) -> Option<Vec<Step>> {
        let (mut steps, mut name, mut end) = (Vec::new(), gate.to_string(), end);
        while name != root && steps.len() < MAX_STEPS {
            let (step, input, index) = self.step(&name, end)?;
            steps.push(step);
            (name, end) = (input, index);
        }
        steps.reverse();
        (name == root).then_some(steps)
    }

    /// The node before `end` that makes `name` for one reader: what it does, what it reads, its place.
    fn step(&self, name: &str, end: usize) -> Option<(Step, String, usize)> {
        if self.readers.get(name) != Some(&1) {
            return None;
        }
        let index = self.nodes.get(..end)?.iter().rposition(|node| node.output.iter().any(|output| output == name))?;
        let proto = &self.nodes[index];
        let node = Node::new(proto, self.constants);
        let scalar = |index: usize| match node.constant(index)?.floats()? {
            &[value] => Some(value),
            _ => None,
        };
        // The input that is no constant, and the constant.
        let with_scalar = || match (scalar(0), scalar(1)) {
            (None, Some(value)) => Some((0, value)),
            (Some(value), None) => Some((1, value)),
            _ => None,
        };
        let (step, input) = match node.op() {
            "Add" => with_scalar().map(|(input, value)| (Step::Add(value), input))?,
            "Sub" => (Step::Add(-scalar(1)?), 0),
            "Mul" => with_scalar().map(|(input, value)| (Step::Mul(value), input))?,
            "Div" => (Step::Mul(1.0 / scalar(1)?), 0),
            "Clip" => {
                let (low, high) = ops::clip_limits(&node).ok()?;
                (Step::Clip(low, high), 0)
            }
            "Sigmoid" => (Step::Sigmoid, 0),
            "HardSigmoid" => (Step::HardSigmoid(node.float("alpha", 0.2), node.float("beta", 0.5)), 0),
            "Softplus" => (Step::Softplus, 0),
            "Tanh" => (Step::Tanh, 0),
            "Erf" => (Step::Erf, 0),
            _ => return None,
        };
        Some((step, proto.input.get(input)?.clone(), index))
    }
}

/// The operator that multiplies a value with this gate of it.
fn whole(steps: &[Step]) -> Option<Whole> {
    let known = |op, alpha, factor| Some(Whole { op, alpha, factor });
    match *steps {
        [Step::Sigmoid] => known("Swish", Some(1.0), 1.0),
        [Step::Mul(alpha), Step::Sigmoid] => known("Swish", Some(alpha), 1.0),
        [Step::HardSigmoid(slope, shift)] if near(slope, 1.0 / 6.0) && near(shift, 0.5) => {
            known("HardSwish", None, 1.0)
        }
        [Step::Add(three), Step::Clip(low, six)] if near(three, 3.0) && low == 0.0 && near(six, 6.0) => {
            known("HardSwish", None, 6.0)
        }
        [Step::Softplus, Step::Tanh] => known("Mish", None, 1.0),
        [Step::Mul(root), Step::Erf, Step::Add(one)] if near(root, std::f32::consts::FRAC_1_SQRT_2) && one == 1.0 => {
            known("Gelu", None, 2.0)
        }
        [ref steps @ .., Step::Mul(factor)] if !steps.is_empty() => {
            let whole = whole(steps)?;
            let product = whole.factor * factor;
            Some(Whole { factor: if near(product, 1.0) { 1.0 } else { product }, ..whole })
        }
        _ => None,
    }
}

/// Whether two numbers are the same but for how exporters round.
fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-5 * b.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_known_with_their_constants() {
        let hard = [Step::Add(3.0), Step::Clip(0.0, 6.0), Step::Mul(0.166_666_67)];
        assert_eq!(whole(&hard), Some(Whole { op: "HardSwish", alpha: None, factor: 1.0 }));
        assert_eq!(whole(&hard[..2]), Some(Whole { op: "HardSwish", alpha: None, factor: 6.0 }));
        assert_eq!(whole(&[Step::Add(2.0), Step::Clip(0.0, 6.0)]), None);
        assert_eq!(whole(&[Step::Mul(2.0)]), None);
        assert_eq!(whole(&[]), None);
    }
}
