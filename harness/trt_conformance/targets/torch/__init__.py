"""PyTorch with cuDNN as a target."""
