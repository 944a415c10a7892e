"""What a correct convolution gives, how far correct arithmetic may be from it, and the comparison."""
