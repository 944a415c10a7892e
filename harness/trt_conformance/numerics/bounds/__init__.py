"""How far correct arithmetic may be from the exact result."""
