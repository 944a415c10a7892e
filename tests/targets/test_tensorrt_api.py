"""Every name of TensorRT's that the adapter uses exists in each version whose names are known, or is probed for.

TensorRT 10 and 11 need NVIDIA's own index, so that no test imports them. TensorRT-RTX has the API of 10 and later and
is imported. The names of 10.13 are those of its type stubs, those of later versions of their bindings
(`tests/support/api_names.py`).
"""

import ast
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.support.api_names import api_of, listed, names_of
from trt_conformance.core.paths import ROOT

ADAPTER = ROOT / "harness" / "trt_conformance" / "targets" / "tensorrt"

# What the adapter calls the objects of TensorRT, and of which classes they are.
OBJECTS = {
    "trt": (),
    "builder": ("Builder",),
    "runtime": ("Runtime",),
    "network": ("INetworkDefinition",),
    "layer": (
        "IConvolutionLayer", "ILayer", "IQuantizeLayer", "IDequantizeLayer", "IConcatenationLayer", "IActivationLayer",
        "IElementWiseLayer", "IScaleLayer", "IPoolingLayer",
    ),
    "tensor": ("ITensor",),
    "output": ("ITensor",),
    "config": ("IBuilderConfig",),
    "profile": ("IOptimizationProfile",),
    "engine": ("ICudaEngine",),
    "context": ("IExecutionContext", "IAlgorithmContext"),
    "inspector": ("EngineInspector",),
    "cache": ("ITimingCache",),
    "choice": ("IAlgorithm",),
    "variant": ("IAlgorithmVariant",),
    "info": ("IAlgorithmIOInfo",),
}  # fmt: skip

# Names that some versions lack, and what in the same file asks for them first.
PROBED = {
    "num_compute_capabilities": "self._ahead_for is not None",
    "set_compute_capability": "self._ahead_for is not None",
    "get_engine_stat": 'api.member("EngineStat", "TOTAL_WEIGHTS_SIZE")',
    "execute_async_v2": 'hasattr(self._context, "execute_async_v2")',
    "get_binding_name": 'hasattr(self._context, "execute_async_v2")',
    "num_bindings": 'hasattr(self._context, "execute_async_v2")',
    "set_binding_shape": 'hasattr(self._context, "execute_async_v2")',
    "create_execution_context_without_device_memory": 'hasattr(self._engine, "create_execution_context_without',
    "set_device_memory": 'hasattr(context, "set_device_memory")',
    "device_memory": 'hasattr(context, "set_device_memory")',
    "builder_optimization_level": 'hasattr(config, "builder_optimization_level")',
    "set_tactic_sources": "FAST_SOURCES",
    "TacticSource": 'getattr(api.trt, "TacticSource", None)',
    "num_ranks": "except AttributeError as fault",
    "precision": "not self.strong",
    "set_dynamic_range": 'require_attribute(tensor, "set_dynamic_range")',
    "block_shape": 'IQuantizeLayer, "block_shape")',
    "set_output_type": "not self.strong",
}
# Files that serve only versions which have a class.
PROBED_FILES = {"tactics.py": 'hasattr(api.trt, "IAlgorithmSelector")'}

# Attributes of the harness's own objects and of NumPy's arrays that go by the same names.
OWN = {
    "engine": {"run", "close", "measure", "enqueue", "serialize", "origin", "_stream", "_buffers"},
    "builder": {"model_dump", "prepare", "close", "define", "build", "build_with", "tactics", "load"},
    "cache": {"get", "put", "has"},
    "layer": {"reads", "type", "name", "kernel", "shape", "assignments"},
    "tensor": {"get", "ndim", "shape", "dtype"},
    "trt": {"__version__"},
    "context": {"name"},
}
LISTS = sorted((ROOT / "tests" / "data").glob("tensorrt_api_*.txt"))


def names_of_rtx():
    trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    return {name: set(dir(getattr(trt, name))) for name in dir(trt) if isinstance(getattr(trt, name), type)}


every_version = pytest.mark.parametrize(
    "names",
    [*(lambda path=path: names_of(path.read_text()) for path in LISTS), names_of_rtx],
    ids=[*(path.stem.removeprefix("tensorrt_api_").replace("_", ".") for path in LISTS), "rtx"],
)


def unknown(sources, api):
    """``(file, object, name)`` of each name that the sources use, a version lacks, and nothing probes for."""
    missing = set()
    for file, text in sources.items():
        if file in PROBED_FILES and PROBED_FILES[file] in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Attribute):
                continue
            owner = getattr(node.value, "id", getattr(node.value, "attr", "")).lstrip("_")
            of_case = ast.unparse(node.value).endswith(("case.network", "case.builder"))
            if of_case or owner not in OBJECTS or node.attr in OWN.get(owner, ()):
                continue
            there = set(api) if owner == "trt" else set().union(*(api.get(name, ()) for name in OBJECTS[owner]))
            probe = PROBED.get(node.attr)
            if node.attr not in there and (probe is None or probe not in text):
                missing.add((file, owner, node.attr))
    return missing


def adapter():
    return {path.name: path.read_text() for path in sorted(Path(ADAPTER).glob("*.py"))}


@every_version
def test_every_name_exists_or_is_probed_for(names):
    assert not unknown(adapter(), names())


@every_version
@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("builder.max_workspace_size = 1", ("a.py", "builder", "max_workspace_size")),
        ("self._network.add_convolution(x)", ("a.py", "network", "add_convolution")),
        ("context.execute_async_v2([])", ("a.py", "context", "execute_async_v2")),
        ("api.trt.IInt8Nothing()", ("a.py", "trt", "IInt8Nothing")),
    ],
)
def test_a_name_that_a_version_lacks_is_found(names, source, found):
    assert unknown({"a.py": source}, names()) == {found}


def test_no_probe_is_left_over():
    text = "\n".join(adapter().values())
    used = {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
    assert not {name for name, probe in PROBED.items() if probe not in text or name not in used}
    assert not {file for file, probe in PROBED_FILES.items() if probe not in adapter()[file]}


def test_the_lists_are_those_of_several_versions():
    assert [path.stem for path in LISTS] == [
        f"tensorrt_api_{version}" for version in ("10_13", "10_16", "11_1", "11_4")
    ]
    for path in LISTS:
        version = path.stem.removeprefix("tensorrt_api_").replace("_", ".")
        assert path.read_text().startswith(f"# Names of TensorRT {version}")
        assert {"Builder", "IBuilderConfig", "IConvolutionLayer"} <= names_of(path.read_text()).keys()


def test_names_are_read_from_bindings_without_their_libraries(tmp_path):
    """Of TensorRT-RTX, whose names are also known from the module as it is installed."""
    if not all(map(shutil.which, ("cc", "nm", "objdump"))):
        pytest.skip("needs a C compiler, nm and objdump")
    bindings = pytest.importorskip("tensorrt_rtx_bindings.tensorrt_rtx", reason="TensorRT-RTX is not installed")
    wheel = tmp_path / "tensorrt_rtx_bindings-1-cp311.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(bindings.__file__, "tensorrt_rtx_bindings/tensorrt_rtx.so")
    found, installed = api_of(wheel), names_of_rtx()
    assert {"Builder", "INetworkDefinition"} <= found.keys() <= installed.keys()
    assert all(set(members) <= installed[name] for name, members in found.items())
    assert names_of(listed(found, ["Builder", "Missing"], ["one", "two"])) == {"Builder": set(found["Builder"])}
