"""PyTorch: cuDNN on a GPU, its own kernels on a CPU. An independent engine for comparing values and latencies.

Padding that differs at head and tail is padded explicitly, because conv2d and conv3d take one number per axis.
Tensors keep the order NCHW, as TensorRT's linear formats do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EpilogueName
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.tensors import ADDEND, INPUT, OUTPUT, feeds_of, parameters
from trt_conformance.core.types import Mode
from trt_conformance.numerics.reference.shape import resolve
from trt_conformance.targets.device.gpu_lock import GpuLock, lock_of_gpu
from trt_conformance.targets.other_rules import lacks, refuse_invalid
from trt_conformance.targets.protocols import EngineFacts, LayerFacts
from trt_conformance.targets.timing import host
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan

THREADS = 1
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


class TorchEngine:
    """The case's kernel and bias on the device."""

    def __init__(self, case: Case, device: str, gpu: GpuLock) -> None:
        import torch

        data = parameters(case)
        self._case, self._device, self._gpu = case, torch.device(device), gpu
        self._kernel = self._tensor(data.kernel)
        self._bias = None if data.bias is None else self._tensor(data.bias)
        self._function = torch.nn.functional.conv2d if case.spatial_rank == 2 else torch.nn.functional.conv3d

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        with self._gpu.shared():
            return {OUTPUT: _array(self.prepared(feeds)())}

    def describe(self) -> EngineFacts | None:
        """The kernels of one call on the GPU, those that convolve taken together; None on a CPU."""
        if self._device.type != "cuda":
            return None
        from trt_conformance.targets.torch.timing import kernels

        call = self.prepared(feeds_of(self._case))
        call()  # cuDNN tries its algorithms in the first call
        found = kernels(call, times=1)
        names = " + ".join(kernel["name"] for kernel in found if kernel["class"] == "convolution")
        layers = tuple(LayerFacts(kernel["name"], kernel["class"], kernel["name"], (), ()) for kernel in found)
        # PyTorch adds the bias to cuDNN's output by a kernel of its own.
        convolution = LayerFacts("", "convolution", names, (), ()) if names else None
        return EngineFacts(layers, convolution, "unknown", rounds_sums=self._bias is not None)

    def timing_modes(self) -> tuple[Mode, ...]:
        return ("graph",) if self._device.type == "cuda" else host.MODES

    def measure(self, feeds: Mapping[str, Array], plan: TimingPlan) -> Measurement:
        if self._device.type == "cuda":
            from trt_conformance.targets.torch.timing import measure

            with self._gpu.alone():
                return measure(lambda: self.prepared(feeds, copied=True), plan)
        return host.measure(self.prepared(feeds), plan, threads=THREADS)

    def prepared(self, feeds: Mapping[str, Array], copied: bool = False) -> Callable[[], Any]:
        """The convolution of these inputs as a call; ``copied`` gives it a kernel and bias of its own."""
        import torch

        case = self._case
        inputs = {name: self._tensor(values) for name, values in feeds.items()}
        x = _preceded(case, inputs)
        kernel, bias = self._kernel, self._bias
        if copied:
            kernel, bias = kernel.clone(), None if bias is None else bias.clone()
        pads = _pads(case, tuple(x.shape))
        even = all(before == after for before, after in pads)
        flat = [n for pair in reversed(pads) for n in pair]
        a, batch = case.attributes, x.shape[: -case.spatial_rank - 1]
        padding = [before for before, _ in pads] if even else 0

        def call() -> Any:
            _allow_tf32(case.precision == "tf32")
            with torch.inference_mode():
                source = x if even else torch.nn.functional.pad(x, flat)
                source = source.reshape(-1, *source.shape[-case.spatial_rank - 1 :])
                y = self._function(source, kernel, bias, a.stride, padding, a.dilation, a.groups)
                return _followed(case, y.reshape(*batch, *y.shape[1:]), inputs)

        return call

    def close(self) -> None:
        self._kernel = self._bias = None

    def _tensor(self, values: Array) -> Any:
        import torch

        values = np.ascontiguousarray(values)
        if values.dtype == BFLOAT16:
            return torch.from_numpy(values.view(np.int16)).view(torch.bfloat16).to(self._device)
        return torch.from_numpy(values).to(self._device)


class TorchTarget:
    """Target ``torch-2.11-cudnn9-sm90`` or ``torch-2.13-cpu``."""

    def __init__(self) -> None:
        """Raises ConformanceError if PyTorch is not installed."""
        try:
            import torch
        except ImportError as fault:
            raise ConformanceError(f"PyTorch is not installed: {fault}") from None
        self._versions = {"torch": torch.__version__}
        self._sm = 0
        self._gpu = GpuLock(None)
        where = "cpu"
        torch.set_num_threads(THREADS)
        if torch.cuda.is_available():
            major, minor = torch.cuda.get_device_capability()
            cudnn = torch.backends.cudnn.version()
            self._sm = 10 * major + minor
            self._gpu = lock_of_gpu()
            self._versions |= {"cudnn": str(cudnn), "cuda": str(torch.version.cuda)}
            where = f"cudnn{cudnn // (10_000 if cudnn >= 90_000 else 1000)}-sm{self._sm}"
            torch.backends.cudnn.benchmark = True  # the fastest algorithm, by trial
        self.name = str(TargetName("torch", ".".join(torch.__version__.split(".")[:2]), where))

    def supports(self, case: Case) -> str | None:
        reason = lacks(case, self.name)
        if reason is not None:
            return reason
        if any(step.layer is not None for step in case.epilogue):
            return "the target runs one layer"
        if case.quantize is not None:
            return f"PyTorch has no {case.precision} convolution with Q/DQ"
        if case.precision == "tf32" and self._sm < 80:
            return "TF32 needs a GPU of SM 8.0 or newer"
        return None

    def build(self, case: Case) -> TorchEngine:
        refuse_invalid(case)
        return TorchEngine(case, "cuda" if self._sm else "cpu", self._gpu)

    def environment(self) -> dict[str, Any]:
        return dict(self._versions)


def _pads(case: Case, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Zeros before and after each axis, with which rounding down gives the case's output size."""
    axes = resolve(shape, case.kernel.shape, case.attributes)
    reach = [a.reach(f) for a, f in zip(axes, case.kernel.shape[2:], strict=True)]
    sizes = zip(axes, reach, shape[-len(axes) :], strict=True)
    return [(axis.before, max(0, end - size - axis.before)) for axis, end, size in sizes]


_ACTIVATIONS: dict[EpilogueName, Callable[[Any], Any]] = {
    "sigmoid": lambda y: y.sigmoid(),
    "tanh": lambda y: y.tanh(),
    "silu": lambda y: y * y.sigmoid(),
    "hard_swish": lambda y: y * (y / 6 + 0.5).clamp(0, 1),
    "gelu": lambda y: y * ((y / math.sqrt(2)).erf() + 1) / 2,
    "gelu_tanh": lambda y: y * ((math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)).tanh() + 1) / 2,
    "elu": lambda y: y.clamp(min=0) + y.clamp(max=0).expm1(),
    "selu": lambda y: y.selu(),
    "softsign": lambda y: y / (y.abs() + 1),
    "softplus": lambda y: y.exp().log1p(),
    "hard_sigmoid": lambda y: (y / 5 + 0.5).clamp(0, 1),
}


def _preceded(case: Case, inputs: Mapping[str, Any]) -> Any:
    """What the layer reads."""
    import torch

    x = inputs[INPUT]
    for step in case.prologue:
        match step.op:
            case "cast":
                pass  # the feeds have the values in the type of the case
            case "relu":
                x = torch.relu(x)
            case "pad":
                (top, left), (bottom, right) = step.pre_padding or (0, 0), step.post_padding or (0, 0)
                x = torch.nn.functional.pad(x, (left, right, top, bottom))
            case "slice":
                along = zip(step.start or (), step.shape or (), step.stride or (), strict=True)
                x = x[tuple(slice(a, a + (n - 1) * s + 1, s) for a, n, s in along)]
            case "max_pool":
                x = _pooled(case, x, step.window)
            case "concat":
                x = torch.cat([x, inputs[ADDEND]], dim=-case.spatial_rank - 1)
    return x


def _pooled(case: Case, x: Any, window: Any, kind: str = "max_pool") -> Any:
    import torch

    name = f"{'max' if kind == 'max_pool' else 'avg'}_pool{case.spatial_rank}d"
    return getattr(torch.nn.functional, name)(x, window)


def _followed(case: Case, y: Any, inputs: Mapping[str, Any]) -> Any:
    """The operations after the layer."""
    import torch

    for step in case.epilogue:
        x = inputs[step.of]
        match step.op:
            case "relu":
                y = torch.relu(y)
            case "clip":
                most = torch.finfo(y.dtype).max  # an end beyond the type is refused, and is no limit
                y = torch.clamp(y, *(end if abs(end) <= most else None for end in (step.low or 0.0, step.high or 0.0)))
            case "add":
                y = y + x
            case "min":
                y = torch.minimum(y, x)
            case "max":
                y = torch.maximum(y, x)
            case "concat":
                y = torch.cat([y, x], dim=-case.spatial_rank - 1)
            case "max_pool" | "average_pool":
                y = _pooled(case, y, step.window, step.op)
            case "leaky_relu":
                y = torch.nn.functional.leaky_relu(y, step.alpha)
            case "scale":
                shape = (-1, *(1,) * case.spatial_rank)
                factor, shift = (y.new_tensor(v).reshape(shape) for v in (step.scale or (1.0,), step.shift or (0.0,)))
                y = y * factor + shift
            case _:
                y = _ACTIVATIONS[step.op](y)
    return y


def _array(tensor: Any) -> Array:
    import torch

    tensor = tensor.cpu()
    bits = tensor.dtype == torch.bfloat16
    array: Array = tensor.view(torch.int16).numpy().view(BFLOAT16) if bits else tensor.numpy()
    return array


def _allow_tf32(allowed: bool) -> None:
    """Say it each time: the default is TF32, and the setting is the process's."""
    from torch.backends import cudnn

    if hasattr(cudnn, "conv"):
        cudnn.conv.fp32_precision = "tf32" if allowed else "ieee"
    else:
        cudnn.allow_tf32 = allowed
