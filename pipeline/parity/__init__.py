"""Judge a candidate recording against a reference recording."""
