"""Trains a small digit network with PyTorch and exports it to ONNX.

    pip install torch onnx onnxscript numpy
    python digits.py ../../trainer/data/mnist digits.onnx

docs/from-pytorch.md says what comes next.
"""

import argparse
import gzip
import pathlib

import numpy as np
import torch
from torch import nn

# What PyTorch's own MNIST example subtracts and divides by.
MEAN, STD = 0.1307, 0.3081


def load(folder, split):
    """Images as floats [N, 1, height, width] of 0.0 to 1.0, and labels, of IDX files with or without .gz."""

    def read(name):
        path = pathlib.Path(folder, name)
        data = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
        sizes = np.frombuffer(data, ">u4", data[3], 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)

    images, labels = read(f"{split}-images-idx3-ubyte"), read(f"{split}-labels-idx1-ubyte")
    return torch.from_numpy(images[:, None] / np.float32(255)), torch.from_numpy(labels.astype(np.int64))


def block(inputs, outputs, stride=1):
    """Convolution, batch normalization, ReLU: one layer once it is compiled."""
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(block(1, 8, 2), block(8, 16), nn.MaxPool2d(2), block(16, 16))
        self.classes = nn.Linear(16 * 7 * 7, 10)

    def forward(self, images):
        return self.classes(torch.flatten(self.features(images), 1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--legacy", action="store_true", help="export with the exporter before TorchDynamo's")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    images, labels = load(arguments.data, "train")
    images = (images - MEAN) / STD
    model = Digits()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for epoch in range(arguments.epochs):
        model.train()
        for batch in torch.randperm(len(images)).split(128):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}")
    # Running averages in place of those of a batch: without this, the exported network would be another one.
    model.eval()
    images, labels = load(arguments.data, "t10k")
    with torch.no_grad():
        right = (model((images - MEAN) / STD).argmax(1) == labels).float().mean().item()
    print(f"float accuracy on the test images: {100 * right:.2f} %")
    torch.onnx.export(model, (images[:1],), arguments.out, dynamo=not arguments.legacy)


if __name__ == "__main__":
    main()
