"""Checks of cases: contradictions, networks that cannot be built, and cases that cannot fail."""
