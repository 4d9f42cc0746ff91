"""Trains a small digit network with Keras 3 and exports it to ONNX.

    pip install tensorflow tf2onnx onnx
    python digits.py ../../trainer/data/mnist digits.onnx

docs/from-keras.md says what comes next.
"""

import argparse
import gzip
import pathlib

import keras
import numpy as np
from keras import layers


def load(folder, split):
    """Images as bytes [N, height, width, 1], and labels, of IDX files with or without .gz."""

    def read(name):
        path = pathlib.Path(folder, name)
        data = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
        sizes = np.frombuffer(data, ">u4", data[3], 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)

    images, labels = read(f"{split}-images-idx3-ubyte"), read(f"{split}-labels-idx1-ubyte")
    return images[..., None].astype("float32"), labels


def block(filters, strides=1):
    """Convolution, batch normalization, ReLU: one layer once it is compiled."""
    conv = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)
    return [conv, layers.BatchNormalization(), layers.ReLU()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(1)
    images, labels = load(arguments.data, "train")
    model = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            # The network takes bytes as they are.
            layers.Rescaling(1 / 255),
            *block(8, 2),
            *block(16),
            layers.MaxPooling2D(),
            *block(16),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, batch_size=128, epochs=arguments.epochs, verbose=2)
    _, accuracy = model.evaluate(*load(arguments.data, "t10k"), verbose=0)
    print(f"float accuracy on the test images: {100 * accuracy:.2f} %")
    model.export(arguments.out, format="onnx")


if __name__ == "__main__":
    main()
