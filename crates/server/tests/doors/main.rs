//! A small city with public and hidden layers behind the real router.

mod abuse;
mod access;
mod alarms;
mod cases;
mod city;
mod clients;
mod features;
mod listener;
mod mqtt;
mod processes;
mod report;
mod sensorthings;
mod stream;
mod tiles;
mod writes;
