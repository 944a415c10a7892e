"""A static site of published records: versions, GPUs, claims and families of cases, latencies, badges."""
