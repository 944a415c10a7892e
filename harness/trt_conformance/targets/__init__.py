"""Implementations under test, and how they are found."""
