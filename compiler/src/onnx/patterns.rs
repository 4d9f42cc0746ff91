//! Activations that exporters spell out as several nodes, known by their values.
//!
//! Nodes that take one tensor and numbers are a function of one variable, whatever they are and in whatever order. It is
//! evaluated at some places and compared with the activations that a layer can have.

use std::collections::HashMap;

use tract_onnx::pb;

use super::load::float;
use super::{Node, Tensor, readers};
use crate::function::Function;

/// Most nodes that a function is spelled with.
const MAX_NODES: usize = 16;
/// How much a value may be off, as a part of it or of one.
const TOLERANCE: f64 = 2e-6;

/// Replaces each such spelling; nodes that nobody reads any more stay.
pub fn rewrite(nodes: &mut Vec<pb::NodeProto>, constants: &mut HashMap<String, Tensor>, output: &str) {
    // From the end, so that a spelling is found as a whole before its parts are.
    let mut index = nodes.len();
    while index > 0 {
        index -= 1;
        let readers = readers(nodes, output);
        let Some((root, found)) = (Graph { nodes, constants, readers: &readers }).function(index) else { continue };
        let result = nodes[index].output.first().cloned().unwrap_or_default();
        let name = nodes[index].name.clone();
        let Found { op, attributes, text, factor } = found;
        let activated = if factor == 1.0 { result.clone() } else { format!("{result}/activation") };
        let kind = pb::attribute_proto::AttributeType::String as i32;
        let text = text.map(|(name, value)| pb::AttributeProto {
            name: name.into(),
            r#type: kind,
            s: value.into(),
            ..Default::default()
        });
        nodes[index] = pb::NodeProto {
            input: vec![root],
            output: vec![activated.clone()],
            name: name.clone(),
            op_type: op.into(),
            attribute: attributes.into_iter().map(|(name, value)| float(name, value)).chain(text).collect(),
            ..Default::default()
        };
        if factor != 1.0 {
            let name_of_factor = format!("{activated}/factor");
            constants.insert(name_of_factor.clone(), Tensor::of_floats(vec![], vec![factor as f32]));
            let scaled = pb::NodeProto {
                input: vec![activated, name_of_factor],
                output: vec![result],
                name,
                op_type: "Mul".into(),
                ..Default::default()
            };
            nodes.insert(index + 1, scaled);
        }
    }
}

/// An operator that stands for a function, its attributes, and what its result is multiplied with.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    op: &'static str,
    attributes: Vec<(&'static str, f32)>,
    text: Option<(&'static str, &'static str)>,
    factor: f64,
}

/// Nodes that compute an element from elements at the same place.
const ELEMENTWISE: &[&str] = &[
    "Abs",
    "Add",
    "Cast",
    "Clip",
    "Div",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Pow",
    "Reciprocal",
    "Relu",
    "Sigmoid",
    "Sign",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Sub",
    "Sum",
    "Tanh",
    "Where",
];
/// Those of them that no layer does alone.
const PARTS: &[&str] = &[
    "Equal",
    "Erf",
    "Exp",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Log",
    "Pow",
    "Reciprocal",
    "Sqrt",
    "Where",
];

struct Graph<'g> {
    nodes: &'g [pb::NodeProto],
    constants: &'g HashMap<String, Tensor>,
    readers: &'g HashMap<String, usize>,
}

impl Graph<'_> {
    /// The tensor of which the node at this place is a known function that takes several nodes.
    fn function(&self, index: usize) -> Option<(String, Found)> {
        let (region, roots) = self.region(index)?;
        // The nearest tensor that everything comes from.
        for root in roots {
            let Some(steps) = self.between(&region, index, &root) else { continue };
            if !steps.iter().any(|&step| self.needs_others(step)) {
                continue;
            }
            // What others read too must stay.
            let is_own = |&&step: &&usize| {
                let name = self.nodes[step].output.first().map_or("", String::as_str);
                let inside = steps.iter().filter(|&&other| self.nodes[other].input.iter().any(|input| input == name));
                step == index || self.readers.get(name).is_none_or(|&readers| readers == inside.count())
            };
            if !steps.iter().all(|step| is_own(&step)) {
                continue;
            }
            let function = |x: f64| self.value(&steps, &root, x);
            if let Some(found) = known(&function) {
                return Some((root, found));
            }
        }
        None
    }

    /// The elementwise nodes that the node at this place comes from, itself included, and what they read; the last first.
    fn region(&self, index: usize) -> Option<(Vec<usize>, Vec<String>)> {
        let is_elementwise = |node: &pb::NodeProto| {
            ELEMENTWISE.contains(&node.op_type.as_str()) && node.domain.is_empty() && node.output.len() == 1
        };
        is_elementwise(self.nodes.get(index)?).then_some(())?;
        let (mut region, mut roots) = (vec![index], Vec::new());
        let mut open = vec![index];
        while let Some(next) = open.pop() {
            for name in self.nodes[next].input.iter().filter(|name| !name.is_empty()) {
                if self.constants.contains_key(name) || roots.iter().any(|(root, _)| root == name) {
                    continue;
                }
                let maker = self.nodes[..next].iter().rposition(|node| node.output.first() == Some(name));
                roots.push((name.clone(), maker));
                if let Some(maker) = maker.filter(|&maker| is_elementwise(&self.nodes[maker]))
                    && region.len() < MAX_NODES
                {
                    region.push(maker);
                    open.push(maker);
                }
            }
        }
        region.sort_unstable();
        roots.sort_by_key(|(_, maker)| std::cmp::Reverse(maker.map_or(0, |maker| maker + 1)));
        Some((region, roots.into_iter().map(|(root, _)| root).collect()))
    }

    /// The nodes of the region that lie between `root` and the node at `index`, in their order; `None` where that one depends on
    /// something else.
    fn between(&self, region: &[usize], index: usize, root: &str) -> Option<Vec<usize>> {
        let (mut steps, mut open) = (vec![index], vec![index]);
        while let Some(next) = open.pop() {
            for name in self.nodes[next].input.iter().filter(|name| !name.is_empty() && *name != root) {
                if let Some(tensor) = self.constants.get(name) {
                    tensor.floats().filter(|values| values.len() == 1)?;
                    continue;
                }
                let maker = *region.iter().find(|&&step| self.nodes[step].output.first() == Some(name))?;
                if !steps.contains(&maker) {
                    steps.push(maker);
                    open.push(maker);
                }
            }
        }
        steps.sort_unstable();
        Some(steps)
    }

    /// Whether a layer cannot do this node alone.
    fn needs_others(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        let tensors = node.input.iter().filter(|name| !name.is_empty() && !self.constants.contains_key(*name));
        PARTS.contains(&node.op_type.as_str()) || tensors.count() > 1
    }

    /// What these nodes make of a number.
    fn value(&self, steps: &[usize], root: &str, x: f64) -> Option<f64> {
        let mut values: HashMap<&str, f64> = HashMap::from([(root, x)]);
        for &step in steps {
            let proto = &self.nodes[step];
            let inputs: Vec<f64> = proto
                .input
                .iter()
                .filter(|name| !name.is_empty())
                .map(|name| {
                    let constant = || Some(f64::from(*self.constants.get(name)?.floats()?.first()?));
                    values.get(name.as_str()).copied().or_else(constant)
                })
                .collect::<Option<_>>()?;
            let value = apply(&Node::new(proto, self.constants), &inputs)?;
            values.insert(proto.output.first()?, value);
        }
        values.get(self.nodes[*steps.last()?].output.first()?.as_str()).copied()
    }
}

/// What a node makes of numbers.
fn apply(node: &Node<'_>, inputs: &[f64]) -> Option<f64> {
    let truth = |is: bool| f64::from(u8::from(is));
    let number = |name: &str, default: f32| node.float(name, default);
    Some(match (node.op(), inputs) {
        ("Identity" | "Cast", &[x]) => x,
        ("Clip", &[x]) => x.max(number("min", f32::NEG_INFINITY).into()).min(number("max", f32::INFINITY).into()),
        ("Clip", &[x, limit]) if node.has_input(1) => x.max(limit),
        ("Clip", &[x, limit]) => x.min(limit),
        ("Clip", &[x, low, high]) => x.max(low).min(high),
        ("Abs", &[x]) => x.abs(),
        ("Neg", &[x]) => -x,
        ("Exp", &[x]) => x.exp(),
        ("Log", &[x]) => x.ln(),
        ("Sqrt", &[x]) => x.sqrt(),
        ("Reciprocal", &[x]) => 1.0 / x,
        ("Sign", &[x]) => {
            if x == 0.0 {
                0.0
            } else {
                x.signum()
            }
        }
        ("Relu", &[x]) => x.max(0.0),
        ("Not", &[x]) => truth(x == 0.0),
        ("Erf", &[x]) => {
            2.0 * Function::Gelu.apply(x * std::f64::consts::SQRT_2) / (x * std::f64::consts::SQRT_2) - 1.0
        }
        ("Sigmoid", &[x]) => Function::Sigmoid.apply(x),
        ("Tanh", &[x]) => x.tanh(),
        ("Softplus", &[x]) => Function::Softplus.apply(x),
        ("Softsign", &[x]) => Function::Softsign.apply(x),
        ("HardSwish", &[x]) => Function::HardSwish.apply(x),
        ("HardSigmoid", &[x]) => Function::HardSigmoid(number("alpha", 0.2), number("beta", 0.5)).apply(x),
        ("LeakyRelu", &[x]) => Function::LeakyRelu(number("alpha", 0.01)).apply(x),
        ("Elu", &[x]) => Function::Elu(number("alpha", 1.0)).apply(x),
        ("Add", &[a, b]) => a + b,
        ("Sub", &[a, b]) => a - b,
        ("Mul", &[a, b]) => a * b,
        ("Div", &[a, b]) => a / b,
        ("Pow", &[a, b]) => a.powf(b),
        ("Greater", &[a, b]) => truth(a > b),
        ("GreaterOrEqual", &[a, b]) => truth(a >= b),
        ("Less", &[a, b]) => truth(a < b),
        ("LessOrEqual", &[a, b]) => truth(a <= b),
        ("Equal", &[a, b]) => truth(a == b),
        ("Where", &[is, a, b]) => {
            if is != 0.0 {
                a
            } else {
                b
            }
        }
        ("Sum", all) => all.iter().sum(),
        ("Max", all) => all.iter().copied().reduce(f64::max)?,
        ("Min", all) => all.iter().copied().reduce(f64::min)?,
        _ => return None,
    })
}

/// The activation that has these values, if one has.
fn known(function: &dyn Fn(f64) -> Option<f64>) -> Option<Found> {
    // No zero among them, where some spellings divide by it.
    let places: Vec<f64> = (-40..40).map(|place| f64::from(place) / 5.0 + 0.1).collect();
    let values: Vec<f64> =
        places.iter().map(|&x| function(x).filter(|value| value.is_finite())).collect::<Option<_>>()?;
    let at = |x: f64| function(x).filter(|value| value.is_finite());
    let fits = |own: Function, factor: f64| {
        places.iter().zip(&values).all(|(&x, value)| {
            let own = factor * own.apply(x);
            (own - value).abs() <= TOLERANCE * own.abs().max(1.0)
        })
    };
    // Where it grows as its argument does, by how much; where it ends at a limit, which.
    let (far, farther) = (at(60.0)?, at(61.0)?);
    let slope = rounded(farther - far);
    let plain = |function: Function, factor: f64, op: &'static str| {
        (function, Found { op, attributes: vec![], text: None, factor })
    };
    let with = |function: Function, factor: f64, op: &'static str, alpha: f32| {
        (function, Found { op, attributes: vec![("alpha", alpha)], text: None, factor })
    };
    let mut tried = Vec::new();
    if slope != 0.0 {
        let below = at(-1.1)? / slope;
        // Of a gate at 1: sigmoid(alpha).
        let gate = at(1.1)? / slope / 1.1;
        let alpha = rounded((gate / (1.0 - gate)).ln() / 1.1) as f32;
        let leak = rounded(below / -1.1) as f32;
        let depth = rounded(below / (-1.1f64).exp_m1()) as f32;
        let (_, gelu) = plain(Function::GeluTanh, slope, "Gelu");
        tried.extend([
            with(Function::Swish(1.0), slope, "Swish", 1.0),
            plain(Function::HardSwish, slope, "HardSwish"),
            plain(Function::Mish, slope, "Mish"),
            plain(Function::Gelu, slope, "Gelu"),
            (Function::GeluTanh, Found { text: Some(("approximate", "tanh")), ..gelu }),
            plain(Function::Softplus, slope, "Softplus"),
            plain(Function::Abs, slope, "Abs"),
            with(Function::LeakyRelu(leak), slope, "LeakyRelu", leak),
            with(Function::Elu(depth), slope, "Elu", depth),
            with(Function::Swish(alpha), slope, "Swish", alpha),
        ]);
    } else {
        let limit = rounded(at(40.0)?);
        tried.extend([plain(Function::Sigmoid, limit, "Sigmoid"), plain(Function::Tanh, limit, "Tanh")]);
    }
    // Softsign comes close to its limit very slowly.
    tried.push(plain(Function::Softsign, rounded(at(1.1)? * 2.1 / 1.1), "Softsign"));
    let fits = |(function, found): &(Function, Found)| {
        found.factor != 0.0 && found.factor.is_finite() && is_finite(*function) && fits(*function, found.factor)
    };
    tried.into_iter().find(fits).map(|(_, found)| found)
}

fn is_finite(function: Function) -> bool {
    function.apply(1.0).is_finite() && function.apply(-1.0).is_finite()
}

/// Without what floats of 32 bits get wrong: a number of few digits where it is one.
fn rounded(number: f64) -> f64 {
    let short = (number * 1e5).round() / 1e5;
    if (short - number).abs() <= 2e-6 { short } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(function: impl Fn(f64) -> f64) -> Option<(&'static str, Vec<f32>, f64)> {
        let known = known(&|x| Some(function(x)))?;
        Some((known.op, known.attributes.into_iter().map(|(_, value)| value).collect(), known.factor))
    }

    #[test]
    fn functions_are_known_by_their_values() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        assert_eq!(found(|x| x * sigmoid(x)), Some(("Swish", vec![1.0], 1.0)));
        assert_eq!(found(|x| x * sigmoid(1.702 * x)), Some(("Swish", vec![1.702], 1.0)));
        assert_eq!(found(|x| x * (x + 3.0).clamp(0.0, 6.0)), Some(("HardSwish", vec![], 6.0)));
        assert_eq!(found(|x| x * (x + 3.0).clamp(0.0, 6.0) * f64::from(1f32 / 6.0)), Some(("HardSwish", vec![], 1.0)));
        assert_eq!(found(|x| (1.0 + x.exp()).ln()), Some(("Softplus", vec![], 1.0)));
        assert_eq!(found(|x| x * (1.0 + x.exp()).ln().tanh()), Some(("Mish", vec![], 1.0)));
        assert_eq!(found(|x| x.max(0.0) + 0.25 * x.min(0.0)), Some(("LeakyRelu", vec![0.25], 1.0)));
        assert_eq!(found(|x| if x > 0.0 { x } else { 0.5 * (x.exp() - 1.0) }), Some(("Elu", vec![0.5], 1.0)));
        assert_eq!(found(|x| x / (1.0 + x.abs())), Some(("Softsign", vec![], 1.0)));
        assert_eq!(found(|x| 2.0 * sigmoid(2.0 * x) - 1.0), Some(("Tanh", vec![], 1.0)));
        assert_eq!(found(|x| (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())), Some(("Tanh", vec![], 1.0)));
        let tanh = |x: f64| 0.5 * x * (1.0 + (0.797_884_560_8 * (x + 0.044715 * x.powi(3))).tanh());
        assert_eq!(found(tanh), Some(("Gelu", vec![], 1.0)));
    }

    #[test]
    fn other_functions_are_not() {
        assert_eq!(found(|x| x * (x + 2.0).clamp(0.0, 6.0)), None);
        assert_eq!(found(|x| x * x), None);
        assert_eq!(found(f64::exp), None);
        assert_eq!(found(|x| x.ln()), None);
    }
}
