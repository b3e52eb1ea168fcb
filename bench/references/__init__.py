"""What Stillhere is measured against, in the same run, on the same disk and the same core."""
