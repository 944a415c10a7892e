"""The part of a program that compares what a loaded engine reports about itself with what the case states."""

from __future__ import annotations

from typing import Any

from trt_conformance.checks.engine_report import defined_parameters, expected_shapes
from trt_conformance.core.case import Case
from trt_conformance.core.engine_fields import EngineReport
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.repro.refitting import stream_lines
from trt_conformance.targets.tensorrt.api import NOT_OBEYED_WARNING, SPARSITY_MESSAGE

_READS = {
    "format": "engine.get_tensor_format({}).name",
    "dtype": "engine.get_tensor_dtype({}).name",
    "shape": "tuple(engine.get_tensor_shape({}))",
    "vectorized_dim": "engine.get_tensor_vectorized_dim({})",
    "components_per_element": "engine.get_tensor_components_per_element({})",
}
_PARAMETERS = [
    "inspector = engine.create_engine_inspector()",
    "said = json.loads(inspector.get_engine_information(trt.LayerInformationFormat.JSON))",
    'entries = [entry for entry in said.get("Layers", []) if isinstance(entry, dict)]',
    'parameters = next((entry for entry in entries if entry.get("ParameterType") == "Convolution"), {})',
]


def report_logger(report: EngineReport) -> list[str]:
    """A logger that keeps what the builder says of the layer: constraints not obeyed, eligible for sparse math."""
    said = []
    if report.constraints_obeyed is not None:
        said.append(f"        self.obeyed &= not re.search({NOT_OBEYED_WARNING.pattern!r}, message)")
    if report.sparse_eligible is not None:
        said += [
            f"        found = re.match({SPARSITY_MESSAGE.pattern!r}, message)",
            "        if found and found[1]:",
            "            self.sparse = bool(found[2].strip())",
        ]
    if not said:
        return ["logger = trt.Logger(trt.Logger.WARNING)"]
    return [
        "",
        "",
        "class Logger(trt.ILogger):",
        "    obeyed, sparse = True, False",
        "",
        "    def log(self, severity, message):",
        *said,
        "",
        "",
        "logger = Logger()",
    ]


def report_lines(case: Case, differs: int, cannot_run: int) -> list[str]:
    """Load ``plan``, read into ``actual`` what the engine reports, compare it, and exit with ``differs`` or 0."""
    report = case.expect.engine
    assert report is not None
    expected = _stated(report)
    for index, (shape, shapes) in enumerate(zip(case.run_shapes, expected_shapes(case), strict=True)):
        expected[f"shapes of {INPUT} and {OUTPUT} in run {index}"] = tuple(map(tuple, shapes)), f"shapes({shape})"
    inspected: list[str] = []
    if report.inspector is not None:
        inspected = _PARAMETERS
        for name, value in defined_parameters(case).items():
            expected[f"{name} of the inspector"] = value, f'parameters.get("{name}")'
    return [
        "if plan is None:",
        '    print("no engine was built")',
        f"    sys.exit({cannot_run})",
        "engine = trt.Runtime(logger).deserialize_cuda_engine(plan)",
        "if engine is None:",
        '    print("the engine cannot be loaded on this machine")',
        f"    sys.exit({cannot_run})",
        *stream_lines(case),
        "context = engine.create_execution_context()",
        "",
        "",
        "def shapes(given):",
        f'    context.set_input_shape("{INPUT}", given)',
        f'    return tuple(tuple(context.get_tensor_shape(name)) for name in ("{INPUT}", "{OUTPUT}"))',
        "",
        "",
        *inspected,
        "reports = {  # expected, actual",
        *(f'    "{name}": ({value!r}, {code}),' for name, (value, code) in expected.items()),
        "}",
        "for name, (expected, actual) in reports.items():",
        '    print(f"{name}: expected {expected}, actual {actual}")',
        f"sys.exit({differs} if any(expected != actual for expected, actual in reports.values()) else 0)",
    ]


def _stated(report: EngineReport) -> dict[str, tuple[Any, str]]:
    """Each value that a case states, and the code that reads it, under a name for people."""
    found: dict[str, tuple[Any, str]] = {}
    for tensor in (INPUT, OUTPUT):
        for name, value in getattr(report, tensor).model_dump(exclude_none=True).items():
            found[f"{name} of the {tensor}"] = value, _READS[name].format(f'"{tensor}"')
    if report.num_optimization_profiles is not None:
        found["num_optimization_profiles"] = report.num_optimization_profiles, "engine.num_optimization_profiles"
    if report.refittable is not None:
        found["refittable"] = report.refittable, "engine.refittable"
    if report.constraints_obeyed is not None:
        found["constraints obeyed"] = report.constraints_obeyed, "logger.obeyed"
    if report.sparse_eligible is not None:
        found["eligible for sparse math"] = report.sparse_eligible, "logger.sparse"
    return found
