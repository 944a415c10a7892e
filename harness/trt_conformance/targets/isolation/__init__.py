"""A target in a process of its own, so that a crash or a hang costs one case."""
