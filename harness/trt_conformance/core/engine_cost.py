"""What an engine costs: the names of its figures, as verdicts and records use them."""

from __future__ import annotations

PLAN = "plan_bytes"
WEIGHTS = "weights_bytes"
STORED_WEIGHTS = "stored_weights_bytes"
DEVICE_MEMORY = "device_memory_bytes"
WORKSPACE = "workspace_bytes"
BUILD = "build_s"
NOT_OBEYED = "constraints_not_obeyed"
"""1 if the builder warns that no kernel obeys the precision of a layer."""
SPARSE_ELIGIBLE = "sparse_eligible_layers"
SPARSE = "sparse_layers"
"""How many layers the builder lists as eligible for sparse math, and for how many it picked that."""

COST: dict[str, str] = {
    PLAN: "plan",
    WEIGHTS: "weights of the case",
    STORED_WEIGHTS: "weights in the engine",
    DEVICE_MEMORY: "device memory",
    WORKSPACE: "workspace",
    BUILD: "build",
}
"""The figures, and what a report calls them.

``plan_bytes``: the serialized engine. ``weights_bytes``: the kernel and the bias of the case, in the types that the
engine computes with. ``stored_weights_bytes``: what TensorRT says that the engine holds as weights.
``device_memory_bytes``: what a context needs beside them (TensorRT's `device_memory_size`). ``workspace_bytes``: the
part of it that layers use as scratch memory. ``build_s``: seconds from the definition of the network to the plan; of a
cached engine, those of the build that filled the cache.
"""
