"""The bench: what Stillhere does in a second, each figure beside a reference taken in the same run."""
