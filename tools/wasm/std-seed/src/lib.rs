//! Nothing: building it for wasm32 builds the standard library that the browser bundle links.
#![no_std]
