"""The transcript as a mail: composed, sent, and the worker that does it."""
