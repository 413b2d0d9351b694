"""Export a trained Keras image classifier to a TFLite file that carries its own proof."""

__version__ = "0.1.0"
