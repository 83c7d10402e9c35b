"""Weights in files: safetensors and ONNX."""
