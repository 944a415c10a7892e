"""Makes case files of what others have: models and lists of convolutions."""
