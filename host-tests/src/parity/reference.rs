//! Core against the plain integer reference, bit for bit.

use super::{Case, Effort, Row};
use crate::reference::logits;
use crate::shipped::{TEST_IMAGES, in_parallel};

/// The first test images.
pub fn reference(case: &Case, effort: Effort) -> Row {
    let model = case.model();
    let theirs =
        in_parallel(case.images(effort), |range| range.map(|index| logits(&model, TEST_IMAGES.image(index))).collect());
    Row::new(case, "reference").exact(case, &theirs)
}
