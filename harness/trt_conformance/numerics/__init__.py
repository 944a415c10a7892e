"""What a right convolution gives, how far arithmetic may lie from it, and the comparator."""
