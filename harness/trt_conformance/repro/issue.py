"""The text of a bug report, under the headings of TensorRT's issue template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trt_conformance.core.case import Case
from trt_conformance.core.words import printable
from trt_conformance.repro.failure import Failure
from trt_conformance.results.record.schema import Environment

PRODUCT = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX"}
UNKNOWN = "(not recorded)"


@dataclass(frozen=True)
class Files:
    """What is in the folder beside the report."""

    program: str
    model: str | None
    why_no_model: str
    others: Sequence[str]
    commands: Sequence[str]


def issue_text(case: Case, failure: Failure, environment: Environment, files: Files) -> str:
    """The report: what differs, where, and the commands that show it."""
    product = f"{PRODUCT[failure.target.flavor]} {failure.facts.get('version') or failure.target.version}"
    return "\n".join(
        [
            f"# {_title(case, failure, product)}",
            "",
            "## Description",
            "",
            f"{_layer(case)}",
            "",
            f"Expected: {printable(_expected(case, failure))}",
            "",
            f"What {product} does, in phase {failure.verdict.phase}:",
            "",
            *_fenced(failure.lines),
            *_engine(failure),
            "",
            "## Environment",
            "",
            *_environment(failure, environment, product),
            "",
            "## Relevant Files",
            "",
            f"**Model link**: {files.model or files.why_no_model}",
            "",
            f"Also attached: {', '.join([files.program, *files.others])}",
            "",
            "## Steps To Reproduce",
            "",
            "**Commands or scripts**:",
            "",
            *_fenced([f"python {files.program}", *files.commands]),
            "",
            f"`{files.program}` exits with 1 if {PRODUCT[failure.target.flavor]} differs from what is expected.",
            "",
            "**Have you tried [the latest release](https://developer.nvidia.com/tensorrt)?**: (please fill in)",
            "",
            "**Can this model run on other frameworks?** For example run ONNX model with ONNXRuntime "
            f"(`polygraphy run <model.onnx> --onnxrt`): {_elsewhere(files)}",
            "",
        ]
    )


def _title(case: Case, failure: Failure, product: str) -> str:
    gpu = failure.facts.get("gpu")
    on = f" on GPU {gpu}" if gpu else ""
    what = {
        "refusal": "Convolution is refused",
        "acceptance": "Invalid convolution is not refused as stated",
        "facts": "Convolution has a wrong shape or attribute",
        "values": "Convolution gives a wrong output",
        "size": "Plan of a convolution is much larger than its weights",
        "rounding": "Convolution does not round to nearest",
        "report": "Engine of a convolution misreports itself",
    }[failure.shows]
    if failure.verdict.status == "error":
        what = "Convolution ends in an error"
    return printable(f"{what} in {product}{on}: {case.doc}")


def _layer(case: Case) -> str:
    """The layer in one sentence."""
    settings = ", ".join(f"{name} = {value}" for name, value in case.set.items()) or "all attributes at their defaults"
    parts = [
        f"A convolution in {case.precision} with an input of shape {list(case.network_shape)}",
        f"a kernel of shape {list(case.kernel.shape)}",
        f"{'no bias' if case.bias == 'none' else 'a bias'}",
        settings,
    ]
    parts += [f"before it {', '.join(step.op for step in case.prologue)}"] * bool(case.prologue)
    parts += [f"after it {', '.join(step.op for step in case.epilogue)}"] * bool(case.epilogue)
    parts += [f"a second input of shape {list(case.addend.shape)}"] if case.addend is not None else []
    return printable(", ".join(parts) + ".")


def _expected(case: Case, failure: Failure) -> str:
    if failure.expected is not None:
        return f"a refusal in phase {failure.expected.phase}, with an error that matches `{failure.expected.error}`."
    source = f" ({case.source})" if case.source else ""
    return {
        "refusal": f"the network is valid, so an engine is built{source}.",
        "facts": f"the inferred shape and the attributes that the documentation gives{source}.",
        "size": f"a plan whose weights are about as large as those of the layer{source}.",
        "rounding": f"errors of rounding to nearest, which cancel over the output{source}.",
        "report": f"an engine that reports its tensors, profiles and layer as they are{source}.",
    }.get(failure.shows, f"the sum that the documentation defines, up to rounding{source}.")


def _engine(failure: Failure) -> list[str]:
    kernel = failure.verdict.figures.get("kernel")
    return ["", f"GPU kernel: `{printable(str(kernel))}`"] if kernel else []


def _environment(failure: Failure, environment: Environment, product: str) -> list[str]:
    device = environment.device
    library = failure.facts.get("library")
    versions = {
        "**TensorRT Version**": product + (f" (library {library})" if library else ""),
        "**NVIDIA GPU**": failure.facts.get("gpu")
        or f"none (built ahead of time for {failure.facts.get('built_for')})",
        "**NVIDIA Driver Version**": device.driver or UNKNOWN,
        "**CUDA Version**": device.cuda_runtime or UNKNOWN,
        "**CUDNN Version**": "(not used by this program)",
        "Operating System": environment.platform or UNKNOWN,
        "Python Version (if applicable)": environment.python or UNKNOWN,
        "Tensorflow Version (if applicable)": "not applicable",
        "PyTorch Version (if applicable)": "not applicable",
        "Baremetal or Container (if so, version)": "(please fill in)",
    }
    lines: list[str] = []
    for name, value in versions.items():
        lines += [f"{name}: {printable(str(value))}", ""]
    return lines[:-1]


def _elsewhere(files: Files) -> str:
    return "(run the second command and fill in)" if files.model else "there is no ONNX model"


def _fenced(lines: Sequence[str]) -> list[str]:
    return ["```", *(printable(line).replace("```", "'''") for line in lines), "```"]
