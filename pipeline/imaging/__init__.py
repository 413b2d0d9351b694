"""Turn files into model inputs exactly as the image contract says; NumPy and Pillow only."""

# Raised whenever the same file and contract may give other pixels or another tensor than before:
# what was computed from the old ones is then computed again.
REVISION = 1
