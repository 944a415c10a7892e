"""Searches for faults that no case covers: draws cases, judges them, and shrinks those that fail."""
