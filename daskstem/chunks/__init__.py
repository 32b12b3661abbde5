"""Ground floor: chunks, blocks and halos as integers; no array is touched here."""
