"""Is a pair true, whole and understandable? Rules that need no model."""
