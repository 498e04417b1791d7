//! The HTTP door: an empty room as yet, its pins kept building.
