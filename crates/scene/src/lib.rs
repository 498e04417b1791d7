//! A scene file to a Scene; which tiles, detail and instant for a camera. No GPU.
