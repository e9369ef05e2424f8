"""Handwritten digits: MNIST and a small PyTorch network."""

SIDE = 28  # pixels of an image, across and down
CLASSES = 10
