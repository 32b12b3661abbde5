"""Steps: a Dataset in, a Dataset of only what was made out."""
