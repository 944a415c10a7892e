"""Mutants that handle each of two features correctly, but not their combination."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trt_conformance.mutants import conditions
from trt_conformance.mutants.conditions import Condition
from trt_conformance.mutants.geometry import each, mode
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.mutants.operands import first_group, on_channels
from trt_conformance.mutants.outputs import first_image

# What goes wrong, and the condition under which it can.
EFFECTS = (
    Mutant("stride_ignored", "the stride is ignored", conditions.strided, attributes=each("stride", lambda _: 1)),
    Mutant("dilation_ignored", "the dilation is ignored", conditions.dilated, attributes=each("dilation", lambda _: 1)),
    Mutant("pre_padding_ignored", "pre-padding is ignored", conditions.pre_padded, attributes=each("pre", lambda _: 0)),
    Mutant(
        "post_padding_ignored", "post-padding is ignored", conditions.post_padded, attributes=each("post", lambda _: 0)
    ),
    Mutant(
        "same_exchanged",
        "SAME_UPPER and SAME_LOWER are exchanged",
        conditions.same_mode,
        attributes=mode({"SAME_UPPER": "SAME_LOWER", "SAME_LOWER": "SAME_UPPER"}),
    ),
    Mutant(
        "groups_ignored",
        "every group reads the first group's channels",
        conditions.grouped,
        input=on_channels(first_group),
    ),
    Mutant("bias_ignored", "the bias is ignored", conditions.biased, bias=lambda y, bias, case: y),
    Mutant("images_ignored", "every image gets the first image's output", conditions.batched, output=first_image),
)
CIRCUMSTANCES: dict[str, tuple[str, Condition]] = {
    "strided": ("with a stride", conditions.strided),
    "dilated": ("with a dilation", conditions.dilated),
    "padded": ("with padding", conditions.padded),
    "same": ("in SAME modes", conditions.same_mode),
    "grouped": ("with groups", conditions.grouped),
    "depthwise": ("depthwise", conditions.depthwise),
    "biased": ("with a bias", conditions.biased),
    "batched": ("in a batch", conditions.batched),
    "dynamic": ("with dynamic shapes", conditions.dynamic),
    "three_d": ("in 3D", conditions.three_d),
    "by_setters": ("with weights given by setters", conditions.by_setters),
    "by_set_input": ("with a kernel given as a tensor", conditions.by_set_input),
    **{name: (f"in {name}", conditions.in_precision(name)) for name in ("tf32", "fp16", "bf16", "int8")},
}
# Pairs that cannot occur together, or that are the same condition.
APART = {("same_exchanged", "padded"), ("pre_padding_ignored", "same"), ("post_padding_ignored", "same")}


def _pairs() -> Iterator[Mutant]:
    for effect in EFFECTS:
        for name, (words, condition) in CIRCUMSTANCES.items():
            if condition is effect.applies or (effect.name, name) in APART:
                continue
            both = conditions.both(effect.applies, condition)
            yield replace(effect, name=f"{effect.name}_{name}", doc=f"{effect.doc} {words}", applies=both)


MUTANTS = tuple(_pairs())
