//! Scene and tile content to pixels: an empty room as yet, its pins kept building.
