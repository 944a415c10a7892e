"""The padding truth table: a target's shape inference against the documented formulas."""
