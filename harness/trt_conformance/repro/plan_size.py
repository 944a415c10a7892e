"""The part of a program that shows a plan which is much larger than its weights."""

from __future__ import annotations

from trt_conformance.core.engine_cost import STORED_WEIGHTS, WEIGHTS
from trt_conformance.numerics.plan_size import CODE_BYTES
from trt_conformance.repro.failure import Failure

PLAN_LOGGER = [
    "",
    "",
    "class Logger(trt.ILogger):",
    "    weights = 0",
    "",
    "    def log(self, severity, message):",
    '        found = re.match(r"Total Weights Memory: (\\d+)", message)',
    "        if found:",
    "            self.weights = int(found[1])",
    "",
    "",
    "logger = Logger()",
]
"""A logger that stores the bytes of weights that a build logs."""


def size_lines(failure: Failure) -> list[str]:
    """Compare the part of ``plan`` that is too large with its limit, and count the zeros in it.

    This is the weights in the plan, or the rest of it; if TensorRT did not report its weights, the whole plan.
    """
    figures = failure.verdict.figures
    limit, stored = int(figures["weights_limit_bytes"]), figures.get(STORED_WEIGHTS)
    if stored is None:
        what, held, limit = "a plan", "plan.nbytes", limit + CODE_BYTES
    elif stored > limit:
        what, held = "weights in the plan", "logger.weights"
    else:
        what, held, limit = "a plan, not counting its weights", "plan.nbytes - logger.weights", CODE_BYTES
    return [
        "if plan is None:",
        '    print("no engine was built")',
        "    sys.exit(2)",
        f"held = {held}",
        r'zeros = max((len(run[0]) for run in re.finditer(rb"\0+", bytes(plan))), default=0)',
        f'print("the kernel and the bias have {figures[WEIGHTS]:,} bytes")',
        f'print("expected: at most {limit:,} bytes of {what}")',
        'print(f"actual:   {held:,} bytes; the plan has {plan.nbytes:,} bytes, {zeros:,} zeros of them in a row")',
        f"sys.exit(1 if held > {limit} else 0)",
    ]
