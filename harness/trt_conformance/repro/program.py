"""The program of a bug report: it needs TensorRT, NumPy and cuda-python, and exits with 1 if TensorRT differs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from trt_conformance.checks.network import declared_output_shape, expected_attributes
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import as_built
from trt_conformance.core.words import printable
from trt_conformance.repro.engine import IMPORT_CUDA, call_lines, infer_lines, load_lines
from trt_conformance.repro.engine_report import report_lines, report_logger
from trt_conformance.repro.expected import (
    QDQ,
    allowed_error,
    convolve_lines,
    expected_lines,
    failed_shape,
    operand_lines,
    run_line,
    runs_of,
)
from trt_conformance.repro.facts import WEIGHTS_SAID, expected_facts, fact_lines
from trt_conformance.repro.failure import Failure
from trt_conformance.repro.further import FURTHER, further_data_lines
from trt_conformance.repro.large import compare_element_lines, large_input_lines
from trt_conformance.repro.network import NetworkCode
from trt_conformance.repro.plan_size import PLAN_LOGGER, size_lines
from trt_conformance.repro.prologue import addend_lines
from trt_conformance.repro.refitting import HELD
from trt_conformance.repro.rounding import compare_deviations_lines, deviation_lines
from trt_conformance.repro.tensors import BITS, given_types, helpers, parameter_lines

EXIT_DIFFERS, EXIT_CANNOT_RUN = 1, 2


def program(case: Case, failure: Failure) -> str:
    """The text of the program.

    Args:
        case: the case of the failure; its input, its kernel and its bias are written into the program or made by it.
        failure: the verdict to show, and the TensorRT that it is about.
    """
    code = NetworkCode(case, failure)
    data = [*parameter_lines(as_built(case)), *given_types(case), *further_data_lines(case), *addend_lines(case)]
    built = [*code.create(), *code.define(), *code.build()]
    match failure.shows:
        case "facts":
            facts = expected_facts(declared_output_shape(case), expected_attributes(case))
            read = [*_NAMED * _says_names(facts), *fact_lines(case, facts)]
            logger, body = _PLAIN_LOGGER, [*code.create(), *code.define(facts=read), "", *_compare_facts(facts)]
        case "refusal":
            logger, body = _logger(failure), [*_attempt(code), "", *_EXPECT_ENGINE]
        case "size":
            logger, body = PLAN_LOGGER, [*built, "", *size_lines(failure)]
        case "acceptance":
            logger, body = _logger(failure), [*_attempt(code), "", *_expect_refusal(case, failure)]
        case "values":
            logger, body = _PLAIN_LOGGER, [*built, *_compare_values(case, failure)]
        case "rounding":
            logger, body = _PLAIN_LOGGER, [*built, *_compare_errors(case, failure)]
        case "report":
            assert case.expect.engine is not None
            logger, body = (
                report_logger(case.expect.engine),
                [
                    *built,
                    *report_lines(case, EXIT_DIFFERS, EXIT_CANNOT_RUN),
                ],
            )
    kept = ("keep", "bits(", "held(")
    keep = ["keep = []"] * any(word in line for word in kept for line in body)
    text = "\n".join([*data, *body])
    functions = [*helpers([*data, *body])]
    functions += ["", "", *BITS] * ("bits(" in text)
    functions += ["", "", *HELD] * ("held(" in text and case.refit is not None)
    functions += ["", "", *QDQ.get(case.precision, ())] * ("qdq(" in text)
    functions += ["", "", *WEIGHTS_SAID] * ("weights_said(" in text)
    imports = _imports(failure, "\n".join([text, *functions, *logger]))
    lines = [*_docstring(case, failure), *imports, *functions]
    return "\n".join([*lines, *[""] * (2 if functions else 1), *data, *keep, *logger, *body]) + "\n"


_PLAIN_LOGGER = ["logger = trt.Logger(trt.Logger.WARNING)"]
_EXPECT_ENGINE = [
    'print("expected: an engine")',
    'print("actual:  ", "an engine" if plan is not None else "refused: " + "\\n".join(logger.errors))',
    f"sys.exit({EXIT_DIFFERS} if plan is None else 0)",
]


def _docstring(case: Case, failure: Failure) -> list[str]:
    """What was recorded, and what the exit code means."""
    doc = printable(f"{case.base_id} ({case.precision}): {case.doc}").replace("\\", "\\\\").replace('"""', "'''")
    said = [printable(line).replace("\\", "\\\\").replace('"""', "'''") for line in failure.lines[:4]]
    needs = f"{failure.target.flavor}, numpy and cuda-python" + (", and ml_dtypes" if _needs_ml_dtypes(case) else "")
    return [
        f'"""{doc}.',
        "",
        f"Recorded on {failure.verdict.target}, in phase {failure.verdict.phase}:",
        *(wrapped for line in said for wrapped in textwrap.wrap(line, 110) or [""]),
        "",
        f"Needs {needs}.",
        f"Exits with {EXIT_DIFFERS} if TensorRT differs from what is expected, with {EXIT_CANNOT_RUN} if it cannot",
        "run on this machine, otherwise with 0.",
        '"""',
    ]


def _needs_ml_dtypes(case: Case) -> bool:
    return "float8" in (case.input_type, case.output_type)


def _imports(failure: Failure, text: str) -> list[str]:
    alias = failure.target.flavor
    lines = [""]
    lines += [f"import {name}" for name in ("json", "math", "re") if f"{name}." in text]
    needed = ["import ml_dtypes"] * ("ml_dtypes." in text) + ["import numpy as np", f"import {alias} as trt"]
    return [
        *lines,
        "import sys",
        "",
        "try:",
        *_indented([*needed, *(IMPORT_CUDA if "cudart" in text else [])]),
        "except (ImportError, OSError) as fault:",
        '    print(f"cannot run: {fault}")',
        f"    sys.exit({EXIT_CANNOT_RUN})",
    ]


def _logger(failure: Failure) -> list[str]:
    """A logger that collects errors. Without a GPU, TensorRT-RTX also logs that it found none."""
    about = ' and "cudaError" not in message' if failure.is_ahead_of_time else ""
    return [
        "",
        "",
        "class Logger(trt.ILogger):",
        "    errors = []",
        "",
        "    def log(self, severity, message):",
        f"        if severity in (self.Severity.ERROR, self.Severity.INTERNAL_ERROR){about}:",
        "            self.errors.append(message.strip())",
        "",
        "",
        "logger = Logger()",
    ]


def _attempt(code: NetworkCode) -> list[str]:
    """Build, whatever is refused: ``plan`` is None then, and ``logger.errors`` say why."""
    define = [*code.create(), *code.define(counts_setter_errors=True), "tuple(tensor.shape)"]
    return [
        "plan, set_errors, network_errors = None, 0, 0",
        "try:",
        *_indented(define),
        "    network_errors = len(logger.errors)",
        "    if not network_errors:",
        *_indented(_indented(code.build())),
        "except Exception as fault:  # the bindings refuse some arguments themselves",
        '    logger.errors.append(f"{type(fault).__name__}: {fault}")',
        "    network_errors = len(logger.errors)",
    ]


def _expect_refusal(case: Case, failure: Failure) -> list[str]:
    assert failure.expected is not None
    phase, pattern = failure.expected.phase, failure.expected.error
    lines = ['phase = "set" if set_errors else "network" if network_errors else "build" if plan is None else None']
    if phase == "run":
        (run, *_) = runs_of(case, failure)
        lines += _run_refusal(case, run.input)
    return [
        *lines,
        f"pattern = {pattern!r}",
        'errors = "\\n".join(logger.errors)',
        f'print("expected: refused in phase {phase} with an error that matches", pattern)',
        'print("actual:  ", f"refused in phase {phase}: {errors}" if phase else "accepted")',
        f'sys.exit(0 if phase == "{phase}" and re.search(pattern, errors) else {EXIT_DIFFERS})',
    ]


def _run_refusal(case: Case, x: str) -> list[str]:
    """Run an engine that was built; ``phase`` is run where TensorRT refuses to."""
    refused = "not refits() or " if case.refit is not None else ""
    widened = "x = np.concatenate([x, x[..., -1:]], axis=-1)"
    return [
        *["", "", *call_lines(EXIT_CANNOT_RUN), "", ""],
        *[*infer_lines(case), "", ""],
        f"x = {x}",
        *[widened] * (case.misuse == "other_shape"),
        "if plan is not None:",
        *_indented([*load_lines(case), f'phase = "run" if {refused}infer(x) is None else None']),
    ]


_REFITTED = [
    "if not refits():",
    '    print("expected: a refitted engine")',
    '    print("actual:   the engine was not refitted")',
    f"    sys.exit({EXIT_DIFFERS})",
]
_NAMED = ['layer.name = "convolution"']


def _says_names(facts: dict[str, Any]) -> bool:
    """Whether the layer's name, or one that follows from it, is compared."""
    return "name" in facts or "default_output_name" in facts


def _compare_facts(facts: dict[str, Any]) -> list[str]:
    """Compare the inferred shape and what was read into ``actual`` with what they should be."""
    mode = facts.get("padding_mode")
    stated = {name: value for name, value in facts.items() if name != "padding_mode"}
    return [
        f"expected = {stated}",
        f'expected["padding_mode"] = trt.PaddingMode.{mode}',
        'actual["shape"] = tensor.shape',
        "actual |= {name: tuple(value) for name, value in actual.items() if isinstance(value, trt.Dims)}",
        "for name in expected:",
        '    print(f"{name}: expected {expected[name]}, actual {actual[name]}")',
        f"sys.exit({EXIT_DIFFERS} if actual != expected else 0)",
    ]


def _runnable(case: Case, failure: Failure) -> list[str]:
    """Load the engine, and define ``infer``."""
    cuda_fails = EXIT_DIFFERS if failure.verdict.status == "error" else EXIT_CANNOT_RUN
    return [
        "if plan is None:",
        '    print("no engine was built")',
        f"    sys.exit({EXIT_CANNOT_RUN})",
        "",
        "",
        *call_lines(cuda_fails),
        "",
        "",
        *load_lines(case),
        *_REFITTED * (case.refit is not None),
        "",
        "",
        *infer_lines(case),
        "",
        "",
    ]


def _compare_values(case: Case, failure: Failure) -> list[str]:
    run = _runnable(case, failure)
    if case.large:
        shape = failed_shape(case, failure)
        return [
            *run,
            *large_input_lines(case, shape),
            *compare_element_lines(case, failure.verdict, shape, EXIT_DIFFERS),
        ]
    return [*run, *_compare_runs(case, failure)]


def _compare_errors(case: Case, failure: Failure) -> list[str]:
    """Judge the errors of the output together."""
    (run,) = runs_of(case, failure)
    return [
        *_runnable(case, failure),
        *convolve_lines(case),
        "",
        "",
        *deviation_lines(case, failure),
        "",
        "",
        "(inputs, pads, size), = [  # the input, the zeros around it, the output's size",
        run_line(run),
        "]",
        *compare_deviations_lines(case, EXIT_DIFFERS),
    ]


def _compare_runs(case: Case, failure: Failure) -> list[str]:
    """Compare each run's output with its definition."""
    runs = runs_of(case, failure)
    allowed = allowed_error(case, runs, failure)
    return [
        *convolve_lines(case),
        "",
        "",
        *([*FURTHER, "", ""] if any(step.layer is not None for step in case.epilogue) else []),
        "differs = False",
        "runs = [  # the input, the zeros around it, the output's size",
        *map(run_line, runs),
        "]",
        "for x, pads, size in runs:",
        *_indented(
            [
                *operand_lines(case),
                *expected_lines(case, allowed),
                *_comparison(allowed.only, any(0 in run.shape for run in runs)),
            ]
        ),
        f"sys.exit({EXIT_DIFFERS} if differs else 0)",
    ]


def _comparison(only: Sequence[int], has_empty: bool) -> list[str]:
    """Compare ``actual`` with ``expected``, each element or only one; some runs may have an empty batch."""
    restricted = [
        f"wrong &= np.arange(wrong.size).reshape(wrong.shape) == np.ravel_multi_index({tuple(only)}, wrong.shape)"
    ]
    return [
        "actual = infer(x)",
        "if actual is None or actual.shape != expected.shape:",
        '    print("expected: an output of shape", expected.shape)',
        '    print("actual:  ", "refused" if actual is None else f"one of shape {actual.shape}")',
        "    differs = True",
        "    continue",
        *(["if not actual.size:", "    continue"] if has_empty else []),
        "error = abs(actual.astype(float) - expected)",
        "wrong = ~(error <= allowed)",
        *(restricted if only else []),
        "excess = np.where(wrong, np.nan_to_num(error - allowed, nan=np.inf), -1.0)",
        "at = np.unravel_index(np.argmax(excess), error.shape)",
        'print(f"{wrong.sum()} of {wrong.size} elements differ by more than rounding allows; the worst is at", *at)',
        'print(f"expected: {expected[at]:.9g}")',
        'print(f"actual:   {float(actual[at]):.9g}")',
        "differs |= bool(wrong.any())",
    ]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]
