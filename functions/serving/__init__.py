"""Answers with an approved model: its ONNX graph, between the workload's own reading and writing."""
