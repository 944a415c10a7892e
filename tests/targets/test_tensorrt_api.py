"""Every name of TensorRT's that the adapter uses exists in each version whose names are known, or is asked for first.

mypy checks the adapter against ``stubs/tensorrt``, and these tests check the stubs. TensorRT 10 and 11 need NVIDIA's
own index, so that no test imports them. TensorRT-RTX has the API of 10 and later and is imported. The names of 10.13
are those of its type stubs, those of later versions of their bindings (`tests/support/api_names.py`).
"""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

from tests.support.api_names import api_of, listed, names_of
from trt_conformance.core.builder_fields import Builder, BuilderFacts, ComputeCapability, TacticSource
from trt_conformance.core.network_fields import LayerOutputType, LayerType
from trt_conformance.core.paths import ROOT
from trt_conformance.core.quantization_fields import Misquantize
from trt_conformance.core.refit_fields import RefitRole, RefitType
from trt_conformance.core.types import TYPE_NAME, Format, PaddingMode
from trt_conformance.targets.tensorrt.build import FAST_SOURCES, WEAK_FLAGS
from trt_conformance.targets.tensorrt.following import ACTIVATIONS, ELEMENTWISE, POOLINGS
from trt_conformance.targets.tensorrt.module import EnumName, Module
from trt_conformance.targets.tensorrt.scaling import _DYNAMIC
from trt_conformance.targets.tensorrt.target import AHEAD_OF_TIME

ADAPTER = ROOT / "harness" / "trt_conformance" / "targets" / "tensorrt"
STUBS = ROOT / "stubs" / "tensorrt" / "__init__.pyi"

_BINDINGS = ("execution.py", 'hasattr(self._context, "execute_async_v2")')
_SELECTOR = ("tactics.py", 'hasattr(api.trt, "IAlgorithmSelector")')
_WEAKLY_TYPED = ("network.py", 'if not self.strong and self.case.precision == "fp16"')
# Names that some versions lack, and the file and the code that asks for them first.
PROBED = {
    "ComputeCapability": ("target.py", 'hasattr(self._api.trt, "ComputeCapability")'),
    "EngineStat": ("loading.py", 'api.member("EngineStat", "TOTAL_WEIGHTS_SIZE")'),
    "IAlgorithm": _SELECTOR,
    "IAlgorithmContext": _SELECTOR,
    "IAlgorithmIOInfo": _SELECTOR,
    "IAlgorithmSelector": _SELECTOR,
    "IAlgorithmVariant": _SELECTOR,
    "IBuilderConfig.algorithm_selector": _SELECTOR,
    "IBuilderConfig.num_compute_capabilities": ("build.py", "if chosen:"),
    "IBuilderConfig.set_compute_capability": ("build.py", "in enumerate(chosen)"),
    "ICudaEngine.create_execution_context_without_device_memory": (
        "execution.py", 'hasattr(self._engine, "create_execution_context_without_device_memory")',
    ),
    "ICudaEngine.device_memory_size": ("loading.py", 'hasattr(engine, "device_memory_size_v2")'),
    "ICudaEngine.get_binding_name": _BINDINGS,
    "ICudaEngine.get_engine_stat": ("loading.py", 'api.member("EngineStat", "TOTAL_WEIGHTS_SIZE")'),
    "ICudaEngine.num_bindings": _BINDINGS,
    "ICudaEngine.weight_streaming_budget": ("loading.py", "if hasattr(api.trt.ICudaEngine, name)"),
    "IDequantizeLayer.block_shape": ("scaling.py", 'hasattr(self._api.trt.IQuantizeLayer, "block_shape")'),
    "IExecutionContext.device_memory": ("placing.py", 'hasattr(context, "set_device_memory")'),
    "IExecutionContext.execute_async_v2": _BINDINGS,
    "IExecutionContext.set_binding_shape": _BINDINGS,
    "ILayer.num_ranks": ("facts.py", "except AttributeError as fault"),
    "ILayer.precision": _WEAKLY_TYPED,
    "ILayer.set_output_type": _WEAKLY_TYPED,
    "IQuantizeLayer.block_shape": ("scaling.py", 'hasattr(self._api.trt.IQuantizeLayer, "block_shape")'),
    "ITensor.set_dynamic_range": ("network.py", 'require_attribute(tensor, "set_dynamic_range")'),
}  # fmt: skip
# Classes that the lists of names leave out, because the adapter uses nothing of their own.
NOT_LISTED = {
    "ComputeCapability", "DeviceType", "ICastLayer", "IDynamicQuantizeLayer", "IPaddingLayer", "ISliceLayer",
    "LayerType",
}  # fmt: skip
LISTS = sorted((ROOT / "tests" / "data").glob("tensorrt_api_*.txt"))


def classes_of(stubs: str) -> dict[str, ast.ClassDef]:
    """The public classes of the stubs."""
    found = (node for node in ast.parse(stubs).body if isinstance(node, ast.ClassDef))
    return {node.name: node for node in found if not node.name.startswith("_")}


def members_of(node: ast.ClassDef) -> set[str]:
    """The public names of a class's own, with those of the classes in it, as bindings export an enumeration's."""
    found = set()
    for one in node.body:
        if isinstance(one, ast.FunctionDef):
            found.add(one.name)
        elif isinstance(one, ast.AnnAssign):
            found.add(one.target.id)
        elif isinstance(one, ast.ClassDef):
            found |= members_of(one)
    return {name for name in found if not name.startswith("_")}


def missing(stubs: str, api: dict[str, set[str]], left_out: set[str]) -> set[str]:
    """The classes, and the members as ``Class.member``, that the stubs state and a version lacks."""
    found = set()
    for name, node in classes_of(stubs).items():
        if name not in api:
            found |= {name} - left_out
        else:
            found |= {f"{name}.{member}" for member in members_of(node) - api[name]}
    return found


def names_of_rtx() -> dict[str, set[str]]:
    trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    return {name: set(dir(getattr(trt, name))) for name in dir(trt) if isinstance(getattr(trt, name), type)}


def adapter() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(Path(ADAPTER).glob("*.py"))}


every_version = pytest.mark.parametrize(
    ("names", "left_out"),
    [*((lambda path=path: names_of(path.read_text()), NOT_LISTED) for path in LISTS), (names_of_rtx, set())],
    ids=[*(path.stem.removeprefix("tensorrt_api_").replace("_", ".") for path in LISTS), "rtx"],
)


@every_version
def test_every_name_exists_or_is_asked_for_first(names, left_out):
    assert missing(STUBS.read_text(), names(), left_out) <= PROBED.keys()


@every_version
@pytest.mark.parametrize(
    ("stubs", "found"),
    [
        ("class Builder:\n    max_workspace_size: int", {"Builder.max_workspace_size"}),
        ("class INetworkDefinition:\n    def add_convolution(self, x: int) -> None: ...",
         {"INetworkDefinition.add_convolution"}),
        ("class IExecutionContext:\n    def execute_v1(self) -> bool: ...", {"IExecutionContext.execute_v1"}),
        ("class ILogger:\n    class Severity:\n        FATAL: int", {"ILogger.FATAL"}),
        ("class IInt8Nothing: ...", {"IInt8Nothing"}),
        ("class ITensor:\n    shape: int", set()),
    ],
)  # fmt: skip
def test_a_name_that_a_version_lacks_is_found(names, left_out, stubs, found):
    assert missing(stubs, names(), left_out) == found


def test_no_probe_is_left_over():
    lacking = set().union(*(missing(STUBS.read_text(), names_of(path.read_text()), set()) for path in LISTS))
    assert PROBED.keys() <= lacking
    assert not {name for name, (file, probe) in PROBED.items() if probe not in adapter()[file]}
    assert not any(NOT_LISTED & names_of(path.read_text()).keys() for path in LISTS)


def test_the_stubs_state_nothing_that_the_adapter_does_not_use():
    used = set(get_args(EnumName)) | Module.__annotations__.keys()
    for text in adapter().values():
        nodes = list(ast.walk(ast.parse(text)))
        used |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        used |= {node.value for node in nodes if isinstance(node, ast.Constant)}
        used |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}  # what TensorRT calls
    stubs = STUBS.read_text()
    given = {node.id for node in ast.walk(ast.parse(stubs)) if isinstance(node, ast.Name)}
    classes = classes_of(stubs)
    assert not classes.keys() - used - given
    left_over = set().union(*map(members_of, classes.values())) - used
    assert not left_over


def test_the_module_has_only_classes_that_the_stubs_state():
    assert set(get_args(EnumName)) | Module.__annotations__.keys() <= classes_of(STUBS.read_text()).keys() | {
        "__version__"
    }


def literals(annotation: object) -> set[str]:
    """The texts that an annotation allows."""
    if get_origin(annotation) is Literal:
        return {one for one in get_args(annotation) if isinstance(one, str)}
    return set().union(*map(literals, get_args(annotation)))


# The members of enumerations that cases and the adapter name by text. Where a version lacks one, a case is unsupported;
# so would it be for a name that no version has.
MEMBERS = {
    "ActivationType": set(ACTIVATIONS.values()),
    "BuilderFlag": literals(BuilderFacts.model_fields["flags"].annotation) | {*sum(WEAK_FLAGS.values(), ())},
    "ComputeCapability": literals(ComputeCapability) | {AHEAD_OF_TIME},
    "DataType": {*TYPE_NAME.values(), *_DYNAMIC, *(name for name, _ in _DYNAMIC.values())}
    | literals(RefitType | LayerType | LayerOutputType)
    | literals(Misquantize.model_fields["kernel_type"].annotation),
    "DeviceType": literals(Builder.model_fields["default_device_type"].annotation),
    "ElementWiseOperation": {*ELEMENTWISE.values(), "PROD"},
    "HardwareCompatibilityLevel": literals(Builder.model_fields["hardware_compatibility_level"].annotation),
    "PaddingMode": literals(PaddingMode),
    "PoolingType": set(POOLINGS.values()),
    "TacticSource": literals(TacticSource) | {*FAST_SOURCES},
    "TensorFormat": literals(Format),
    "TilingOptimizationLevel": literals(Builder.model_fields["tiling_optimization_level"].annotation),
    "WeightsRole": literals(RefitRole),
}  # fmt: skip
# Members that only versions before 10 have.
OLDER = {"CAFFE_ROUND_DOWN", "CAFFE_ROUND_UP"}


@pytest.mark.parametrize("enum", MEMBERS)
def test_every_member_that_is_named_exists_in_a_version(enum):
    found = set().union(*(names_of(path.read_text()).get(enum, set()) for path in LISTS))
    if not found or enum in NOT_LISTED:
        found |= names_of_rtx()[enum]
    assert MEMBERS[enum]
    assert MEMBERS[enum] - found == (OLDER if enum == "PaddingMode" else set())


def test_the_members_of_every_enumeration_that_is_asked_by_name_are_checked():
    stated = {"EngineStat", "MemoryPoolType", "NetworkDefinitionCreationFlag"}  # whose members the adapter writes out
    assert set(get_args(EnumName)) - stated <= MEMBERS.keys()


def test_the_arguments_have_the_names_of_tensorrt_rtx():
    trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    checked = 0
    for name, node in classes_of(STUBS.read_text()).items():
        for method in (one for one in node.body if isinstance(one, ast.FunctionDef) and not one.decorator_list):
            bound = getattr(getattr(trt, name, None), method.name, None)
            signatures = re.findall(rf"\b{method.name}\(self: [^,)]+(.*)\) -> ", getattr(bound, "__doc__", None) or "")
            stated = [argument.arg for argument in method.args.args[1:]]
            given = [re.findall(r", (\w+): ", signature) for signature in signatures]
            assert not given or any(one[: len(stated)] == stated for one in given), (name, method.name, given)
            checked += bool(given)
    assert checked > 60


MISTAKES = {
    "api.trt.Builder(api.logger).create_builder_konfig()": "attr-defined",
    "api.builder.create_builder_config().profile_streams = 1": "attr-defined",
    "api.create_network().add_slice(tensor, (1,), (1,))": "call-arg",
    "api.create_network().add_activation(tensor, api.trt.PoolingType.MAX)": "arg-type",
    "api.trt.PoolingType.MAXIMUM": "attr-defined",
    'api.required_member("PoolingKind", "MAX")': "arg-type",
    'api.create_network().add_input("x", api.data_type("int8"), (1,)).name': "union-attr",
    "api.create_network().mark_output(tensor)": "",
}


def test_mypy_finds_each_mistake_in_the_use_of_tensorrt(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    head = "import tensorrt\nfrom trt_conformance.targets.tensorrt.api import Api\n\n"
    body = "".join(f"    {source}\n" for source in MISTAKES)
    program = tmp_path / "program.py"
    program.write_text(f"{head}def use(api: Api, tensor: tensorrt.ITensor) -> None:\n{body}")
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", f"--cache-dir={tmp_path}", str(program)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    found = dict(re.findall(r"^.*program\.py:(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE))
    assert found == {str(line): code for line, code in enumerate(MISTAKES.values(), start=5) if code}, said


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
