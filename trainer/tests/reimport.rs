//! The shipped networks, read back from their ONNX files by burn-onnx, answer as the files do.
//!
//! burn-onnx writes Rust, so that there are two builds: `examples/reimport.rs` leaves the code in the directory
//! `REIMPORTED`, and this test includes it. `cargo xtask test --full` does both.

use burn::tensor::{Device, Tensor};
use trainer::data::{self, Data};
use trainer::export::{TOLERANCE, run_with_tract};

/// Images that every network answers.
const IMAGES: usize = 200;

/// Includes the networks and lists them by name.
macro_rules! reimported {
    ($($name:ident)*) => {
        $(
            #[allow(missing_docs, dead_code, unused, clippy::all)]
            mod $name {
                include!(concat!(env!("REIMPORTED"), "/", stringify!($name), "/model.rs"));
            }
        )*

        const ALL: &[(&str, fn(Tensor<4>) -> Tensor<2>)] = &[$((stringify!($name), |images| {
            let weights = concat!(env!("REIMPORTED"), "/", stringify!($name), "/model.bpk");
            $name::Model::from_file(weights, &images.device()).forward(images)
        })),*];
    };
}

include!(concat!(env!("REIMPORTED"), "/all.rs"));

#[test]
fn reimported_networks_answer_as_their_files() {
    let data = Data::load(&networks::find("nano").unwrap(), None, Some(IMAGES)).unwrap();
    let images = data::batch(&data.test, 0..IMAGES, &Device::flex()).images;
    assert!(!ALL.is_empty(), "no network was reimported");
    for (name, network) in ALL {
        let path = format!("{}/../models/{name}/model.onnx", env!("CARGO_MANIFEST_DIR"));
        let file = run_with_tract(&std::fs::read(path).unwrap(), &data.test, IMAGES).unwrap();
        let logits = network(images.clone()).to_data().try_to_vec::<f32>().unwrap();
        assert_eq!(logits.len(), file.len(), "{name}");
        let difference = logits.iter().zip(&file).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        println!("{name}: reimported through burn-onnx, logits differ by at most {difference:.1e}");
        assert!(difference <= TOLERANCE, "{name}: logits differ by {difference}");
    }
}
