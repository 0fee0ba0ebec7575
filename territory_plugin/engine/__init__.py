"""Pure computation: arrays, frames and graphs in; arrays, frames and graphs out."""
