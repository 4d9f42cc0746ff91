//! Core on the host against the firmware on emulated boards, over the serial protocol, bit for bit.

use anyhow::{Context, Result};
use thumbnet_device::Board;

use super::{Case, Effort, Row};
use crate::boards::Session;
use crate::shipped::{self, TEST_IMAGES};

/// Images for every model and board.
const IMAGES: usize = 100;
/// Multiplications after which a quick comparison has seen enough.
const QUICK_MACS: u64 = 100_000_000;
/// Fewest images.
const QUICK_IMAGES: usize = 5;

/// The emulated boards that a model is compared on; quickly: all for a small model, two for a large one, by turns.
pub fn boards(case: &Case, index: usize, effort: Effort) -> Vec<&'static Board> {
    let boards: Vec<&Board> = Board::measured().collect();
    if effort == Effort::Full || images(case, effort) == IMAGES {
        return boards;
    }
    let (first, others) = boards.split_at(1);
    [first[0], others[index % others.len()]].into()
}

fn images(case: &Case, effort: Effort) -> usize {
    match effort {
        Effort::Full => IMAGES,
        Effort::Quick => ((QUICK_MACS / case.macs().max(1)) as usize).clamp(QUICK_IMAGES, IMAGES),
    }
}

/// The first test images on a board. A model that does not fit is said to be so in the row.
pub fn board(case: &Case, board: &Board, effort: Effort) -> Result<Row> {
    let row = Row::new(case, &board.name);
    let mut session = match Session::boot(board, &shipped::path(&case.name, "model.tnet")) {
        Ok(session) => session,
        Err(error) => return Ok(Row { unfit: Some(unfit(&format!("{error:#}")).ok_or(error)?), ..row }),
    };
    let images = images(case, effort).min(TEST_IMAGES.len());
    let logits = |index| session.logits(TEST_IMAGES.image(index)).with_context(|| format!("test image {index}"));
    let theirs = (0..images).map(logits).collect::<Result<Vec<_>>>();
    Ok(row.exact(case, &theirs.with_context(|| format!("{} on {}", case.name, board.name))?))
}

/// What the firmware's build script says of a model that is too large, without the sizes that lead to it.
fn unfit(error: &str) -> Option<String> {
    let (_, reason) = error.split_once("too large for ")?;
    Some(format!("too large for {}", reason.split(':').next().unwrap_or(reason)))
}
