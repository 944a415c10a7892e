"""The exceptions of the package.

    Exception
    ├── ConformanceError             the user's input is wrong: one line, no traceback, exit code 2
    │   ├── WriteError               a file cannot be written (also an OSError)
    │   ├── CaseFileError            catalog.source: a case file, sweep or claim is invalid
    │   ├── GoldenError              golden.content: a golden is missing, stale, corrupt or different
    │   ├── ReadOnlyStore            golden.lock: the folder of the goldens cannot be written
    │   ├── TargetOptionError        targets.errors: an option of a target is invalid
    │   ├── LineFault                results.record.schema: a line of a run record is invalid
    │   └── NoAcceptedRun            results.accepted: no run was accepted as the baseline
    ├── ValueError
    │   ├── InvalidConvolution       shapes and attributes do not form a convolution
    │   ├── TomlError                text is not valid TOML
    │   ├── JsonError                text is not JSON that this project accepts
    │   └── CorruptEntry             a cache entry does not contain what was written
    ├── RuntimeError
    │   ├── TargetCrashed            targets.errors: the worker process died
    │   ├── TargetHung               targets.errors: a call exceeded its time limit
    │   ├── TargetFault              targets.errors: an exception outside the target protocol
    │   │   └── TargetLost           targets.errors: a CUDA error that the worker cannot recover from
    │   ├── CudaError                targets.device.cuda: a CUDA call failed
    │   └── OutOfBounds              targets.tensorrt.guards: an engine    wrote outside its output
    ├── Unsupported                  targets.errors: the target does not have the feature
    ├── NotRun                       targets.errors: the target cannot run it on this machine
    ├── Refused                      targets.errors: the target refused the configuration
    ├── PhaseFault                   checks.subject: a phase ended in an error
    ├── Malformed                    targets.isolation.answers: a target's process sent what is not an answer
    ├── NotExpressible               catalog.imports.layer: no case can state the convolution
    └── _TooMuchWork                 mutants.diagnosis: a mutant would compute too many products

An exception that only one room raises and catches is defined in that room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trt_conformance.core.types import Constraint


class ConformanceError(Exception):
    """The user's input is wrong. The message is one line that says what, where, and what to do about it."""


class WriteError(ConformanceError, OSError):
    """A file cannot be written; the message names the file and the reason, ``strerror`` is the reason alone."""

    def __init__(self, message: str, strerror: str = "") -> None:
        super().__init__(message)
        self.strerror = strerror


class InvalidConvolution(ValueError):
    """Shapes and attributes that do not form a convolution; ``constraint`` is the first one that is violated."""

    def __init__(self, constraint: Constraint, message: str) -> None:
        super().__init__(constraint, message)
        self.constraint = constraint
        self.message = message

    def __str__(self) -> str:
        return self.message


class TomlError(ValueError):
    """Text that is not valid TOML, or exceeds a limit; ``line`` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class JsonError(ValueError):
    """Text that is not JSON, or not in the form that this project accepts."""


class CorruptEntry(ValueError):
    """A cache entry that does not contain what was written."""
