"""Checks: each module asks one question of a case on a target, and answers with a verdict."""
