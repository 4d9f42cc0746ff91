//! All trainings of a plan and the report about them. Alone in its process, as every test that trains.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use trainer::backend::Backend;
use trainer::progress::Progress;
use trainer::report;
use trainer::reproduce::{Ended, Plan};

fn plan(out: &Path) -> Plan {
    Plan {
        table: None,
        names: vec!["cnn3_k5_sigmoid".into(), "cnn7_k3_sigmoid".into()],
        epochs: Some(1),
        seeds: None,
        backend: Backend::Flex,
        devices: Vec::new(),
        data: None,
        limit: Some(130),
        out: out.to_path_buf(),
    }
}

#[test]
fn a_stopped_reproduction_goes_on_and_reports_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let (models, plan) = (dir.path(), plan(dir.path()));
    let read = |file: &str| fs::read_to_string(models.join(file)).unwrap();

    // Two steps a network; stopped in the second training of cnn7_k3_sigmoid.
    let left = Cell::new(5);
    let stop = || {
        left.set(left.get() - 1);
        left.get() == 0
    };
    let ended = plan.run(Progress::Quiet, &stop).unwrap();
    assert!(matches!(&ended, Ended::Interrupted { network } if network == "cnn7_k3_sigmoid"), "{ended:?}");
    let dates = [read("cnn3_k5_sigmoid/card.json"), read("cnn7_k3_sigmoid/card.json")];

    // One network is not trained, one has its 8-bit accuracy; not all seeds are there.
    fs::write(models.join("cnn3_k5_sigmoid").join(report::INT8), r#"{"images": 130, "accuracy": 0.25}"#).unwrap();
    let (file, trained) = report::write(models).unwrap();
    let text = fs::read_to_string(file).unwrap();
    assert_eq!(trained, 2);
    let row = |name: &str| text.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap().to_string();
    assert!(row("cnn5_k5_relu").contains("not trained yet"), "{text}");
    assert!(row("cnn3_k5_sigmoid").contains("98.35 %") && row("cnn3_k5_sigmoid").contains("25.00 %"), "{text}");
    assert!(text.contains("was trained for 1 epochs on 130 images and measured on 130"), "{text}");
    assert!(text.contains("Not measured yet"), "{text}");
    for picture in ["cnn3_k5_sigmoid/weights.png", "cnn3_k5_sigmoid/weights.svg", "cnn7_k3_sigmoid/curves.png"] {
        assert!(fs::metadata(models.join(picture)).unwrap().len() > 1000, "{picture}");
    }
    assert!(text.contains("(cnn7_k3_sigmoid/curves.png)"), "{text}");

    let Ended::Done(cards) = plan.run(Progress::Quiet, &|| false).unwrap() else { panic!("nobody stopped it") };
    let trained: Vec<_> = cards.iter().map(|card| (card.run.network.as_str(), card.run.seed)).collect();
    assert_eq!(
        trained,
        [("cnn3_k5_sigmoid", 1), ("cnn7_k3_sigmoid", 1), ("cnn7_k3_sigmoid", 2), ("cnn7_k3_sigmoid", 3)]
    );
    assert_eq!([read("cnn3_k5_sigmoid/card.json"), read("cnn7_k3_sigmoid/card.json")], dates, "trained anew");
    assert!(models.join("cnn7_k3_sigmoid/seeds/3/history.csv").exists());
    report::write(models).unwrap();
    let rows = read(report::FILE);
    assert_eq!(rows.lines().filter(|line| line.starts_with("| cnn7_k3_sigmoid ")).count(), 1 + 3, "{rows}");

    // What is there is not overwritten by a training with other options.
    let other = Plan { epochs: Some(2), ..plan };
    let error = other.run(Progress::Quiet, &|| false).unwrap_err().to_string();
    assert!(error.contains("holds another training") && error.contains("another --out"), "{error}");
}
