//! Local functions of a file, as PyTorch's exporters wrote every module: their nodes take the place of each call.

use std::collections::HashMap;

use tract_onnx::pb;

use super::load::{MAX_NODES, is_standard};
use crate::CompileError;

/// Deepest call of a function within others.
const MAX_DEPTH: usize = 32;

/// Puts the nodes of each function in the place of its calls.
pub fn inline(graph: &mut pb::GraphProto, functions: &[pb::FunctionProto]) -> Result<(), CompileError> {
    if functions.is_empty() {
        return Ok(());
    }
    let key = |domain: &str, name: &str| {
        let domain = if is_standard(domain) { String::new() } else { domain.to_string() };
        (domain, name.to_string())
    };
    let known: HashMap<(String, String), &pb::FunctionProto> = functions
        .iter()
        .map(|function| {
            let domain = function.domain.as_deref().unwrap_or_default();
            (key(domain, function.name.as_deref().unwrap_or_default()), function)
        })
        .collect();
    for _ in 0..MAX_DEPTH {
        let (mut nodes, mut calls) = (Vec::new(), 0);
        for node in std::mem::take(&mut graph.node) {
            match known.get(&key(&node.domain, &node.op_type)) {
                Some(function) => {
                    calls += 1;
                    nodes.extend(body(&node, function, calls));
                }
                None => nodes.push(node),
            }
            if nodes.len() > MAX_NODES {
                return Err(CompileError::Graph(format!("has more than {MAX_NODES} nodes, its functions inlined")));
            }
        }
        graph.node = nodes;
        if calls == 0 {
            return Ok(());
        }
    }
    Err(CompileError::Graph("has functions that call themselves: export it with its functions inlined".into()))
}

/// The nodes of a function for one call of it, with names of their own.
fn body(call: &pb::NodeProto, function: &pb::FunctionProto, number: usize) -> Vec<pb::NodeProto> {
    let place = call.output.iter().find(|name| !name.is_empty()).unwrap_or(&call.name);
    let outer: HashMap<&str, &str> = function
        .input
        .iter()
        .zip(call.input.iter().map(String::as_str).chain(std::iter::repeat("")))
        .chain(function.output.iter().zip(call.output.iter().map(String::as_str)).filter(|(_, name)| !name.is_empty()))
        .map(|(inner, outer)| (inner.as_str(), outer))
        .collect();
    let named = |name: &String| match outer.get(name.as_str()) {
        _ if name.is_empty() => String::new(),
        Some(outer) => outer.to_string(),
        None => format!("{place}/{number}/{name}"),
    };
    let attributes = |node: &pb::NodeProto| {
        let given = |attribute: &pb::AttributeProto| {
            if attribute.ref_attr_name.is_empty() {
                return Some(attribute.clone());
            }
            let value = call.attribute.iter().find(|given| given.name == attribute.ref_attr_name)?;
            Some(pb::AttributeProto { name: attribute.name.clone(), ..value.clone() })
        };
        node.attribute.iter().filter_map(given).collect()
    };
    function
        .node
        .iter()
        .map(|node| pb::NodeProto {
            input: node.input.iter().map(named).collect(),
            output: node.output.iter().map(named).collect(),
            name: format!("{}/{}", call.name, node.name),
            attribute: attributes(node),
            ..node.clone()
        })
        .collect()
}
