"""Quantize a float `.tflite` file to int8 and repair what that breaks."""
