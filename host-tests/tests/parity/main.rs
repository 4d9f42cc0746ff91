//! For every model that ships: core = plain reference, core = tract = ONNX Runtime, core = emulated board,
//! and the accuracy that the README promises.

mod accuracy;
mod integer_reference;
mod others;

use std::sync::LazyLock;

use host_tests::parity::Case;

/// Computed once, by the test that comes first.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| Case::all().unwrap_or_else(|error| panic!("{error:#}")));

fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("models/{name} does not ship"))
}
