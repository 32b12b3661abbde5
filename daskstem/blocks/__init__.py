"""A kernel and chunks make a lazy array; what is computed is not known here."""
