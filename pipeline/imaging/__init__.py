"""Turn files into model inputs exactly as the image contract says; NumPy and Pillow only."""
