"""What a case file may not say: contradictions, networks that cannot be built, cases that cannot fail."""
