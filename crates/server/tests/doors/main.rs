//! A small city with public and hidden layers behind the real router.

mod abuse;
mod access;
mod cases;
mod city;
mod clients;
mod features;
mod listener;
mod processes;
mod tiles;
mod writes;
