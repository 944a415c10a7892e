"""The post-ops of oneDNN's benchdnn as operations after the layer: ``sum+relu:0.5``.

The formulas are those of oneDNN's developer guide on eltwise; alpha and beta are 0 if they are not given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from trt_conformance.catalog.imports.layer import NotExpressible
from trt_conformance.core.epilogue_fields import EpilogueName, EpilogueOperation

_JOINS: dict[str, EpilogueName] = {"add": "add", "min": "min", "max": "max"}
_OTHER_BINARY = ("mul", "div", "sub", "eq", "ge", "gt", "le", "lt", "ne", "select")
_WHOLE = ("per_tensor", "15", "31")
"""Masks of a binary operation by which its operand has the shape of the output; 15 is that of four axes."""
_OTHER_ELTWISE = ("abs", "exp", "log", "mish", "pow", "round", "sqrt", "square")
_FIXED: dict[str, EpilogueName] = {
    "logistic": "sigmoid",
    "tanh": "tanh",
    "gelu_erf": "gelu",
    "gelu_tanh": "gelu_tanh",
}


def post_ops(text: str, output: str) -> list[EpilogueOperation]:
    """The operations that post-ops are.

    Args:
        text: as benchdnn has them, separated by ``+``, or by ``;`` up to oneDNN 2.
        output: benchdnn's name of the output's type, which a second operand must have.

    Raises:
        NotExpressible: a case has no such operation, or two of them read another tensor.
        ValueError: with what is wrong with the text.
    """
    steps = [_step(each, output) for each in _parts(text)]
    if sum(step.of == "addend" for step in steps) > 1:
        raise NotExpressible(f"post-ops {text}: a network has at most one second input")
    return steps


def _parts(text: str) -> Iterator[list[str]]:
    for each in text.replace(";", "+").split("+"):
        if each.strip():
            yield [part.strip() for part in each.split(":")]


def _step(parts: Sequence[str], output: str) -> EpilogueOperation:
    name, arguments = parts[0].lower(), parts[1:]
    whole = ":".join(parts)
    if name == "sum":
        return _sum(whole, arguments, output)
    if name in _JOINS:
        return _binary(whole, name, arguments, output)
    if name in _OTHER_BINARY or name == "prelu" or name.startswith("dw"):
        raise NotExpressible(f"post-op {whole}: a case has no such operation")
    return _eltwise(whole, name.removesuffix("_dst"), arguments)


def _sum(whole: str, arguments: Sequence[str], output: str) -> EpilogueOperation:
    """The sum with what was in the output's memory, which is a second input."""
    scale, point, dtype = [*arguments, *("", "", "")[len(arguments) :]][:3]
    if (_number(scale or "1", whole), _number(point or "0", whole)) != (1.0, 0.0) or dtype not in ("", output):
        raise NotExpressible(f"post-op {whole}: a case adds a tensor of the output's type, without a scale")
    return EpilogueOperation(op="add", of="addend")


def _binary(whole: str, name: str, arguments: Sequence[str], output: str) -> EpilogueOperation:
    dtype, mask = [*arguments, *("", "")[len(arguments) :]][:2]
    if dtype != output or mask not in _WHOLE:
        raise NotExpressible(f"post-op {whole}: a second operand of a case has the output's type ({output}) and shape")
    return EpilogueOperation(op=_JOINS[name], of="addend")


def _eltwise(whole: str, name: str, arguments: Sequence[str]) -> EpilogueOperation:
    alpha, beta, scale = (
        _number(text or default, whole)
        for text, default in zip([*arguments, *("", "", "")[len(arguments) :]][:3], ("0", "0", "1"), strict=True)
    )
    if scale != 1.0:
        raise NotExpressible(f"post-op {whole}: it has its own scale")
    if name in _FIXED:
        return EpilogueOperation(op=_FIXED[name])
    make = _WITH_NUMBERS.get(name)
    if make is None and name not in _OTHER_ELTWISE:
        raise ValueError(f"post-op {whole}: no post-op is called {name}")
    step = None if make is None else make(alpha, beta)
    if step is None:
        raise NotExpressible(f"post-op {whole}: a case has no such operation")
    return step


def _relu(alpha: float, _beta: float) -> EpilogueOperation | None:
    if alpha == 0:
        return EpilogueOperation(op="relu")
    return EpilogueOperation(op="leaky_relu", alpha=alpha) if 0 < alpha < 1 else None


def _elu(alpha: float, _beta: float) -> EpilogueOperation | None:
    return {0.0: EpilogueOperation(op="relu"), 1.0: EpilogueOperation(op="elu")}.get(alpha)


def _clip(alpha: float, beta: float) -> EpilogueOperation | None:
    return EpilogueOperation(op="clip", low=alpha, high=beta) if alpha < beta else None


def _bounded_relu(alpha: float, _beta: float) -> EpilogueOperation | None:
    return _clip(0.0, alpha)


def _linear(alpha: float, beta: float) -> EpilogueOperation:
    return EpilogueOperation(op="scale", scale=(alpha,), shift=(beta,))


def _alone(op: EpilogueName, *wanted: float) -> Callable[[float, float], EpilogueOperation | None]:
    """An operation of a case for one alpha, or for one alpha and beta."""

    def made(alpha: float, beta: float) -> EpilogueOperation | None:
        given = (alpha, beta)[: len(wanted)]
        return EpilogueOperation(op=op) if all(map(_is_close, given, wanted)) else None

    return made


def _is_close(given: float, wanted: float) -> bool:
    """Whether a number is the wanted one as people write it, such as 0.1666667 for a sixth."""
    return abs(given - wanted) < 1e-6


def _single(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


_WITH_NUMBERS: dict[str, Callable[[float, float], EpilogueOperation | None]] = {
    "relu": _relu,
    "elu": _elu,
    "clip": _clip,
    "clip_v2": _clip,
    "bounded_relu": _bounded_relu,
    "linear": _linear,
    "swish": _alone("silu", 1.0),
    "soft_relu": _alone("softplus", 1.0),
    "hardswish": _alone("hard_swish", 1 / 6, 0.5),
    "hardsigmoid": _alone("hard_sigmoid", 0.2, 0.5),
}


def _number(text: str, whole: str) -> float:
    """A number as oneDNN holds it, in float32."""
    try:
        value = _single(float(text))
    except (ValueError, OverflowError):
        raise ValueError(f"post-op {whole}: expected a number, not {text!r}") from None
    if not math.isfinite(value):
        raise ValueError(f"post-op {whole}: {text} is not a finite float32")
    return value
