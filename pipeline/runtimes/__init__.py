"""Run models through real runtimes and record what they answer."""
