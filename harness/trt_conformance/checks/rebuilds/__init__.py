"""Many engines of one case: built again and again, or with each tactic that the builder may choose from."""
