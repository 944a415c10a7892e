"""The record of a run: a JSONL file with a header, a verdict a line, and a closing line."""
