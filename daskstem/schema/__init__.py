"""Ground floor: names, contracts, units, errors."""
