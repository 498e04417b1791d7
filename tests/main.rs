//! End to end on the real binary. One test program, so that it is linked once.

mod browser;
mod client;
mod command_line;
mod curl;
mod golden;
mod http;
mod judges;
mod live;
mod overlay;
mod pictures;
mod planner;
mod real_files;
mod survey;
mod view;
mod walls;
