"""``python -m trt_conformance.cli``: the command without its entry point."""

from __future__ import annotations

from trt_conformance.cli import main

main()
