"""Checks the Android project without Gradle and without a phone."""
