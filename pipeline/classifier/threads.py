"""Set on how many threads TensorFlow computes. Child process only."""

from __future__ import annotations


def set_threads(threads: int) -> None:
    """Let TensorFlow use so many threads for one operation (intra-op).

    TensorFlow takes it before its first operation; a process that answers several requests asks
    for the same number each time.

    Raises:
        RuntimeError: TensorFlow has computed on another number already.
    """
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
