"""Finds, reads, expands and lints case files, sweeps, claims and expectations; errors carry file and line."""
