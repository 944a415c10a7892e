"""Loading and running an engine as straight code: memory layouts, quantized inputs and outputs, and CUDA's calls."""

from __future__ import annotations

from trt_conformance.core.case import Case
from trt_conformance.core.layouts import LAYOUTS
from trt_conformance.core.tensors import ADDEND, INPUT, NUMPY_TYPE, OUTPUT
from trt_conformance.core.types import DataType, Format
from trt_conformance.repro.chosen_layouts import layout_lines
from trt_conformance.repro.refitting import refit_lines, stream_lines
from trt_conformance.repro.tensors import parameter_lines

IMPORT_CUDA = [
    "",
    "try:",
    "    from cuda.bindings import runtime as cudart",
    "except ImportError:  # before cuda-python 12.6",
    "    from cuda import cudart",
]
NUMPY_CODE: dict[DataType, str] = {
    "float32": "np.float32",
    "float16": "np.float16",
    "bfloat16": "np.uint16",
    "int8": "np.int8",
    "float8": "ml_dtypes.float8_e4m3fn",
    "uint8": "np.uint8",
}


def call_lines(code: int) -> list[str]:
    """Define ``cuda``, which calls a function of CUDA's runtime, and exits with ``code`` where that fails."""
    return [
        "def cuda(name, *arguments):",
        "    status, *results = getattr(cudart, name)(*arguments)",
        "    if int(status) != 0:",
        '        print(f"{name} failed: {status.name}")',
        f"        sys.exit({code})",
        "    return results[0] if results else None",
    ]


def load_lines(case: Case) -> list[str]:
    """Load ``plan`` and create what runs it; define ``refits`` where the engine is refitted before that."""
    refit = refit_lines(case)
    wanted = [*parameter_lines(case), "", "", *refit, "", ""] if refit else []
    context = [] if refit else ["context = engine.create_execution_context()"]
    return [
        *wanted,
        "copy = cudart.cudaMemcpyKind.cudaMemcpyDefault",
        'stream = cuda("cudaStreamCreate")',
        "engine = trt.Runtime(logger).deserialize_cuda_engine(plan)",
        *stream_lines(case),
        *context,
    ]


def infer_lines(case: Case) -> list[str]:
    """Define ``infer``, which runs the engine on ``x`` and returns its output, or None if TensorRT refuses."""
    name = "another" if case.misuse == "other_name" else INPUT
    offset = f" + {NUMPY_TYPE[case.input_type].itemsize}" if case.misuse == "misaligned" else ""
    size = f"packed.nbytes{offset}"
    address = "0" if case.misuse == "null_address" else f"int(source){offset}"
    return [
        *layout_lines(case),
        "def infer(x):",
        f"    packed = np.ascontiguousarray({_packed(case, _read(case))})",
        f'    if not context.set_input_shape("{name}", x.shape):',
        "        return None",
        *_further_input_lines(case),
        f'    shape = tuple(context.get_tensor_shape("{OUTPUT}"))',
        f"    y = {_poisoned(case)}",
        f'    source, target = cuda("cudaMalloc", max({size}, 1)), cuda("cudaMalloc", max(y.nbytes, 1))',
        f'    cuda("cudaMemcpy", int(source){offset}, packed.ctypes.data, packed.nbytes, copy)',
        '    cuda("cudaMemcpy", target, y.ctypes.data, y.nbytes, copy)',
        f'    accepted = context.set_tensor_address("{name}", {address})',
        f'    accepted = accepted and context.set_tensor_address("{OUTPUT}", int(target))',
        "    accepted = accepted and context.execute_async_v3(int(stream))",
        '    cuda("cudaStreamSynchronize", stream)',
        '    cuda("cudaMemcpy", y.ctypes.data, target, y.nbytes, copy)',
        f"    return {_written(case, _unpacked(case))} if accepted else None",
    ]


def _further_input_lines(case: Case) -> list[str]:
    """Give the context the kernel, the bias and the addend where the network reads them as inputs."""
    names = [*case.network.runtime, *[ADDEND] * (case.addend is not None)]
    if not names:
        return []
    is_half = case.data_type == "bfloat16"
    held = "(values.view(np.uint32) >> np.uint32(16)).astype(np.uint16)" if is_half else "values"
    given = ", ".join(f'"{name}": {name}' for name in names)
    return [
        f"    for name, values in {{{given}}}.items():",
        f"        held = np.ascontiguousarray({held})",
        '        address = cuda("cudaMalloc", held.nbytes)',
        '        cuda("cudaMemcpy", address, held.ctypes.data, held.nbytes, copy)',
        "        context.set_tensor_address(name, int(address))",
    ]


def _read(case: Case) -> str:
    """The input as the network reads it."""
    if case.input_type == "uint8":
        return "x.astype(np.uint8)"
    if case.input_type != case.data_type:
        assert case.quantize is not None
        values = f"qdq(x.astype(float), {case.quantize.input!r}) / {case.quantize.input!r}"
        return f"({values}).astype({NUMPY_CODE[case.input_type]})"
    if case.data_type == "bfloat16":
        return "(x.view(np.uint32) >> np.uint32(16)).astype(np.uint16)"
    return "x"


def _written(case: Case, y: str) -> str:
    """What the network wrote, in the type of the case."""
    if case.output_type != case.data_type:
        assert case.quantize is not None and case.quantize.output is not None
        return f"{y}.astype(float) * np.float32({case.quantize.output!r})"
    if case.data_type == "bfloat16":
        return f"({y}.astype(np.uint32) << np.uint32(16)).view(np.float32)"
    return y


def _packed(case: Case, x: str) -> str:
    """``x`` in the layout of the network's input."""
    if case.formats.also:
        return f'packed_as({x}, "{INPUT}")'
    if case.formats.input == "LINEAR":
        return x
    layout, shape = LAYOUTS[case.formats.input], case.input.shape
    axis = -layout.rank - 1
    missing = -shape[axis] % layout.vector
    widths = [(0, 0)] * len(shape)
    widths[axis] = (0, missing)
    padding = "np.nan" if case.formats.padding == "nan" else "0"
    padded = f"np.pad({x}, {tuple(widths)}, constant_values={padding})" if missing else x
    if not layout.is_major:
        return f"np.moveaxis({padded}, {axis}, -1)"
    vectors = (shape[axis] + missing) // layout.vector
    batch, spatial = f"*x.shape[:{axis}]", f"*x.shape[{axis + 1}:]"
    return f"np.moveaxis({padded}.reshape({batch}, {vectors}, {layout.vector}, {spatial}), {axis}, -1)"


def _poisoned(case: Case) -> str:
    """An output in its layout, full of what no kernel writes."""
    dtype = NUMPY_CODE[case.output_type]
    linear = case.formats.output == "LINEAR" or case.formats.also
    shape = "shape" if linear else _memory_shape(case, case.formats.output)
    filled = f"np.zeros({shape}, {dtype})"
    if case.output_type in ("float32", "float16"):
        filled = f"np.full({shape}, np.nan, {dtype})"
    elif case.output_type == "bfloat16":
        filled = f"np.full({shape}, 0xFFFF, {dtype})"
    return f'np.ascontiguousarray(packed_as({filled}, "{OUTPUT}"))' if case.formats.also else filled


def _memory_shape(case: Case, name: Format) -> str:
    layout = LAYOUTS[name]
    axis = -layout.rank - 1
    vectors = -(-_channels(case) // layout.vector)
    batch, spatial = f"*shape[:{axis}]", f"*shape[{axis + 1}:]"
    if layout.is_major:
        return f"({batch}, {vectors}, {spatial}, {layout.vector})"
    return f"({batch}, {spatial}, {vectors * layout.vector})"


def _unpacked(case: Case) -> str:
    """``y`` as a tensor, without what pads its vectors."""
    if case.formats.also:
        return f'unpacked_as(y, "{OUTPUT}", shape)'
    name = case.formats.output
    if name == "LINEAR":
        return "y"
    layout = LAYOUTS[name]
    axis = -layout.rank - 1
    channels = f"[(..., slice({_channels(case)}), *[slice(None)] * {layout.rank})]"
    moved = f"np.moveaxis(y, -1, {axis})"
    if layout.is_major:
        moved = f"{moved}.reshape(*shape[:{axis}], -1, *shape[{axis + 1}:])"
    return f"np.ascontiguousarray({moved}{channels})"


def _channels(case: Case) -> int:
    """The number of channels of the network's output."""
    maps, axis = case.kernel.shape[0], -case.spatial_rank - 1
    for step in case.epilogue:
        if step.op == "concat":
            maps += case.input.shape[axis]
        elif step.layer is not None:
            maps = step.layer.shape[0]
    return maps
