"""Hold what every stage shares: frozen, validated types and nothing heavy."""
