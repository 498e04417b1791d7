//! Scene and tile content to pixels.
