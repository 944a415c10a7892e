"""The flavors of targets: what their names begin with."""

FLAVORS = ("tensorrt", "tensorrt_rtx", "onnxruntime", "torch", "numpy")
