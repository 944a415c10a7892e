"""Latencies of records: what was measured, calibration, and the gate."""
