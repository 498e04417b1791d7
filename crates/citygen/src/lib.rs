//! A synthetic Changchun with known ground truth, any size, seeded.
