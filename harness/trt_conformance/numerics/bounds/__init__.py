"""How far right arithmetic may lie from the exact result."""
