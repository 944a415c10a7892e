"""Mutants right in each thing alone, and wrong where two of them meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from harness.data import Array
from harness.model import Attributes, Case
from harness.mutants import conditions
from harness.mutants.conditions import Condition
from harness.mutants.geometry import changed, each
from harness.mutants.mutant import Mutant, add_bias
from harness.mutants.operands import first_group, on_channels

EFFECTS: tuple[tuple[Condition, Mutant], ...] = (
    (conditions.strided, Mutant("stride_ignored", "the stride is ignored", attributes=each("stride", lambda s: 1))),
    (conditions.dilated, Mutant("dilation_ignored", "the dilation is ignored", attributes=each("dilation", lambda d: 1))),
    (conditions.padded, Mutant("pre_padding_ignored", "pre-padding is ignored", attributes=each("pre", lambda p: 0))),
    (conditions.padded, Mutant("post_padding_ignored", "post-padding is ignored", attributes=each("post", lambda p: 0))),
    (conditions.grouped, Mutant("groups_ignored", "every group reads the first group's channels", input=on_channels(first_group))),
    (conditions.biased, Mutant("bias_ignored", "the bias is ignored", bias=lambda y, bias, case: y)),
    (conditions.batched, Mutant("batch_ignored", "only the first image is computed")),
)
