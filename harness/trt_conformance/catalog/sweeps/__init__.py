"""Sweeps: declarations of many cases at once, by the full product of lists of values or by covering arrays of them.

The way of the data: sweep file -> Sweep -> rows (computed, or kept beside the file) -> cases.
"""
