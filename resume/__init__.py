"""The way back: whoever left finds it, and misses nothing."""
