//! A choice by the name that `networks.toml` has for it: `relu`, `he_normal`, `adam`.

use serde::Serialize;

/// The name of `choice`.
pub fn written<T: Serialize>(choice: &T) -> String {
    let value = serde_json::to_value(choice).unwrap_or_default();
    value.as_str().unwrap_or_default().to_string()
}
