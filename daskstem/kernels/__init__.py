"""Arrays in, arrays out: plain functions of NumPy arrays, compiled where it pays."""
