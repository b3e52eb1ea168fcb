"""Everybody's live connection: sockets, frames, and the log followed to each of them."""
