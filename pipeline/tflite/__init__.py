"""Read TFLite files: graph, quantization, metadata, operator versions; no TensorFlow."""
