"""Train the Keras classifier and measure it."""
