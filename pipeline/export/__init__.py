"""Turn a Keras model into a described TFLite bundle."""
