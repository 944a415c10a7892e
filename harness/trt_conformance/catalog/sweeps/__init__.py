"""Sweeps: many cases declared at once, as the full product of lists of values or as covering arrays of them.

Data flow: sweep file -> Sweep -> rows (computed, or stored beside the file) -> cases.
"""
