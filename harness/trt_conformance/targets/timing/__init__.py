"""How long a convolution takes, measured so that small changes are found and noise is not mistaken for one."""
