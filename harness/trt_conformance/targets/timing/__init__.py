"""How long a convolution takes, measured so that a small change is seen and noise is not taken for one."""
