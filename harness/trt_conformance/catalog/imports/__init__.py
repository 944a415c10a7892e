"""Imports models and lists of convolutions as case files."""
