//! Tables of users: what is taken, what is refused, and what counts as the same network.

use networks::{NetworkSpec, Shape, Table};

const GOOD: &str = r#"
    [[network]]
    name = "x"
    kernel = 3
    activation = "relu"
    init = "he_normal"
    blocks = [[8, "valid", "valid"], { residual = [{ conv = 8 }, { conv = 8, activation = "none" }] }, { depthwise = [3, 1] }]
    optimizer = "adam"
    dropout = 0.25
"#;

fn one(text: &str) -> NetworkSpec {
    networks::parse(text).unwrap().remove(0)
}

fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replace(from, to)
}

/// What is wrong after a change to the good table.
fn fault(from: &str, to: &str) -> String {
    match networks::parse(&changed(from, to)) {
        Ok(networks) => networks[0].layers().unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_cannot_be_built_is_refused() {
    assert!(one(GOOD).layers().is_ok());
    let message = fault("kernel = 3", "kernel = 29");
    assert!(message.contains("network `x`: the kernel of block 1 does not fit a map of 28 x 28"), "{message}");
    assert!(fault("kernel = 3\n", "").contains("block 1 has no `kernel`"));
    assert!(fault("kernel = 3", "kernel = 0").contains("`kernel` is 0 x 0"));
    assert!(fault("kernel = 3", "kernel = [1, 2, 3]").contains("expected a number or [height, width]"));
    assert!(fault("[8, \"valid\", \"valid\"]", "[0, \"valid\", \"valid\"]").contains("`conv` of block 1 is 0"));
    assert!(
        fault("{ conv = 8 },", "{ conv = 8, stride = 400 },").contains("`stride` of block 2, branch block 1 is 400")
    );
    assert!(fault("\"adam\"", "[]").contains("`optimizer` names none"));
    assert!(fault("\"valid\", \"valid\"", "\"sane\", \"valid\"").contains("unknown variant `sane`"));
    assert!(fault("[8, \"valid\", \"valid\"]", "[8, \"valid\"]").contains("invalid length 2"));
    assert!(fault("dropout = 0.25", "dropout = 1.0").contains("`dropout` is 1"));
    assert!(fault("dropout = 0.25", "dropout = nan").contains("`dropout` is NaN"));
    assert!(fault("dropout", "pooling = 3\ndropout").contains("unknown field `pooling`"));
    assert!(fault("dropout", "augment = { scale = 1.0 }\ndropout").contains("`scale` must be below 1"));
    assert!(fault("\"x\"", "\"../x\"").contains("`name` is also a directory's"));
}

#[test]
fn blocks_that_mean_nothing_are_refused() {
    let block = |block: &str| fault("{ depthwise = [3, 1] }", block);
    assert!(
        block("{ conv = 8, pointwise = 8 }").contains("exactly one of `conv`, `depthwise`, `pointwise` and `residual`")
    );
    assert!(block("{ stride = 2 }").contains("exactly one of"));
    assert!(block("{ depthwise = 3, kernel = 3 }").contains("is written `depthwise = 3`"));
    assert!(block("{ pointwise = 3, kernel = 3 }").contains("a pointwise block has no `kernel`"));
    assert!(block("{ residual = [{ conv = 8 }], stride = 2 }").contains("belong to the blocks of the residual branch"));
    assert!(block("{ residual = [] }").contains("the branch of block 3 has no block"));
    assert!(
        block("{ residual = [{ residual = [{ conv = 8 }] }] }")
            .contains("block 3, branch block 1 branches inside a branch")
    );
    assert!(block("{ conv = 8, filters = 8 }").contains("unknown field `filters`"));
    assert!(block("7").contains("a block: [filters, padding, pool] or a table"));
    let message = block("{ residual = [{ conv = 8, padding = \"valid\" }] }");
    assert!(
        message.contains("the branch of block 3 ends with a map of 11 x 11 x 8, the skip connection with 13 x 13 x 8")
    );
}

#[test]
fn the_data_set_gives_size_and_classes() {
    let spec = one(GOOD);
    let (input, classes) = (Shape { height: 32, width: 40, channels: 1 }, 47);
    let fitted = spec.for_data(input, classes).unwrap();
    let layers = fitted.layers().unwrap();
    assert_eq!(layers[0].output, Shape { height: 15, width: 19, channels: 8 });
    assert_eq!(layers.last().unwrap().output, Shape::vector(47));
    // What it is fitted to is its own from then on.
    assert!(fitted.for_data(input, 47).is_ok());
    let message = fitted.for_data(input, 10).unwrap_err().to_string();
    assert!(message.contains("it has 47 `classes`, the data set has 10"), "{message}");
    let message = fitted.for_data(Shape { height: 28, ..input }, 47).unwrap_err().to_string();
    assert!(message.contains("it takes 32 x 40 x 1, the images are 28 x 40 x 1"), "{message}");
    let message = spec.for_data(Shape { height: 2, ..input }, 47).unwrap_err().to_string();
    assert!(message.contains("does not fit a map of 2 x 40"), "{message}");
    assert!(spec.for_data(input, 0).is_err());
}

#[test]
fn the_identity_is_what_is_meant_and_trained() {
    let identity = |text: &str| one(text).identity().unwrap();
    let same = identity(GOOD);
    for (from, to) in [
        ("[8, \"valid\", \"valid\"]", "{ conv = 8, padding = \"valid\", pool = \"valid\" }"),
        ("\"adam\"", "[\"adam\"]"),
        ("dropout", "seeds = [1, 2]\nbatch = 128\ndropout"),
        ("\"x\"", "\"y\""),
    ] {
        assert_eq!(identity(&changed(from, to)), same, "{to}");
    }
    for (from, to, line) in [
        ("kernel = 3", "kernel = 5", "kernel = 5"),
        ("dropout = 0.25", "dropout = 0.3", "dropout = 0.3"),
        ("dropout", "learning_rate = 4e-3\ndropout", "learning_rate = 0.004"),
        ("he_normal", "he_uniform", "init = \"he_uniform\""),
        ("[3, 1]", "3", "blocks[02] = { depthwise = 3 }"),
        ("dropout", "augment = { shift = 1.0 }\ndropout", "augment = { rotate = 0.0, scale = 0.0, shift = 1.0 }"),
        ("dropout", "validation = 7\ndropout", "validation = 7"),
    ] {
        let changed = identity(&changed(from, to));
        assert_ne!(changed, same, "{to}");
        assert!(changed.contains(&line.to_string()), "{line} is not in {changed:#?}");
    }
}

#[test]
fn files_and_names_that_are_not_there() {
    let error = Table::load("nowhere.toml".as_ref()).unwrap_err().to_string();
    assert_eq!(error, "nowhere.toml: cannot be read");
    let twice = format!("{GOOD}\n{GOOD}");
    let error = Table::parse(&twice, "mine.toml").unwrap_err().to_string();
    assert_eq!(error, "mine.toml: network `x`: is there twice");
    let error = networks::find("cnn9").unwrap_err().to_string();
    assert!(
        error.starts_with("no network is called `cnn9`; there are: nano, residual, separable, cnn3_k3_relu"),
        "{error}"
    );
}
