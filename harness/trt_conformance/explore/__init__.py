"""Searches for faults that no case states: draws cases, judges them, and makes the ones that fail small."""
