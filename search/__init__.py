"""Search: anything that was ever said is found, in its context, by those who may see it."""
