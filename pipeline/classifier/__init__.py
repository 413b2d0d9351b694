"""Take any Keras image classifier in: look at it without trusting it, then open it in a child."""
