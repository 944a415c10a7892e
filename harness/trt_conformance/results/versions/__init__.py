"""Many versions of a target side by side: what each does, and what changed between consecutive versions."""
