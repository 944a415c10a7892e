"""The flavours of targets: what their names begin with."""

FLAVOURS = ("tensorrt", "tensorrt_rtx", "onnxruntime", "torch", "numpy")
