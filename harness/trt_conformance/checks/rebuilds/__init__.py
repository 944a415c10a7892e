"""Many engines of one case: built repeatedly, or with each tactic that the builder could choose."""
