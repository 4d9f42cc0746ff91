//! Trains the notebook's digit networks with Burn.
