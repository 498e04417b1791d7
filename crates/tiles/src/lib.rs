//! Model to bytes and back: meshing, vector tiles, 3D Tiles, terrain.
