"""The record: what was acknowledged is kept, once, in order, and handed out as a faithful transcript."""

__version__ = "0.1.0"
