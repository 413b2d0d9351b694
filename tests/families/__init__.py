"""Export one network of each `keras.applications` family and measure what int8 does to it."""
