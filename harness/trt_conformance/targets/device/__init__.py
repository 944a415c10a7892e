"""The GPU: memory, streams, graphs, clocks and kernels, through CUDA, NVML and CUPTI."""
