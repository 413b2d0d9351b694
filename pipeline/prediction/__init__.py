"""Classify images with an exported or trained model."""
