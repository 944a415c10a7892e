"""What a correct convolution gives: shapes, values in float64, and their magnitude for error bounds."""
