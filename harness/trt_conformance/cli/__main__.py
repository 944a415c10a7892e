"""main  ."""

from __future__ import annotations

from trt_conformance.cli import main

main()
