//! A training is repeatable and can be interrupted anywhere.
//!
//! Alone in its file, that is in its process: flex has one random generator (dropout) for all threads of a process.

mod common;

use std::fs;
use std::path::Path;

use common::{options, run, small};
use trainer::card::Card;
use trainer::data::Data;
use trainer::train::Outcome;

#[test]
fn an_interrupted_training_ends_like_an_uninterrupted_one() {
    let spec = small();
    let data = Data::load(&spec, None, Some(200)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let file = |out: &Path, name: &str| fs::read(out.join(name)).unwrap();

    assert!(matches!(run(&spec, &data, &options(&whole, false), usize::MAX), Outcome::Finished(_)));
    // Seven steps an epoch: stopped in the first, in the second, and in the fourth epoch, which has the other optimizer.
    for (resume, steps, kept) in [(false, 3, 0), (true, 7 + 4, 1), (true, 2 * 7 + 2, 3)] {
        let outcome = run(&spec, &data, &options(&parts, resume), steps);
        assert!(matches!(outcome, Outcome::Interrupted { epochs } if epochs == kept), "{outcome:?}, not {kept}");
    }
    assert_eq!(file(&parts, "history.csv").iter().filter(|&&byte| byte == b'\n').count(), 1 + 3);
    assert!(matches!(run(&spec, &data, &options(&parts, true), usize::MAX), Outcome::Finished(_)));

    let history = String::from_utf8(file(&whole, "history.csv")).unwrap();
    assert_eq!(history.lines().count(), 1 + 4, "{history}");
    assert_eq!(String::from_utf8(file(&parts, "history.csv")).unwrap(), history);
    assert_eq!(file(&parts, "model.onnx"), file(&whole, "model.onnx"), "the weights differ");

    let card = Card::load(&parts).unwrap();
    assert_eq!((card.test_images, card.validation_images, card.run.train_images), (200, 200, 200));
    assert!(!parts.join("checkpoint").exists(), "a finished training leaves no checkpoint");
    for picture in ["curves.png", "curves.svg", "confusion.png", "confusion.svg"] {
        assert!(file(&parts, picture).len() > 1000, "{picture}");
    }
    assert!(matches!(run(&spec, &data, &options(&parts, true), 1), Outcome::AlreadyDone(_)));
}
