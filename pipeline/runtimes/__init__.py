"""Run models through real runtimes and record what they answer."""

# Raised whenever the code here may give other answers, or other latencies, for the same model,
# images and libraries than before: recordings are then made again.
REVISION = 2
