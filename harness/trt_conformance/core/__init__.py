"""What every room uses: Case, Verdict, fills and tensors; errors, files, TOML and words."""
