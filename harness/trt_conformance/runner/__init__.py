"""The pytest plugin: options, parametrization, fixtures, look-ahead, shards, progress, and the record of a run."""
