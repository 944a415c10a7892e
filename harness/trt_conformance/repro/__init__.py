"""Writes what a bug report needs: a program for one failure of TensorRT, its ONNX model, and the report's text."""
