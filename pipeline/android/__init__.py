"""Hand a proven bundle to the Android project, or refuse with the app's own sentence."""
