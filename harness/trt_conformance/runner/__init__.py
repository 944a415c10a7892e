"""pytest's door: options, parametrization, fixtures, look-ahead, shards, progress, and the record of a run."""
