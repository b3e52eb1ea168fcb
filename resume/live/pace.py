"""How quickly a device may write: one measure for all its connections, polls and requests at this process, so that
nobody is quicker by having many. Made by the hub; any thread may ask, as a race counts one too few at most.
"""

from history.access import Viewer
from resume.live.conversation import Bucket, too_quick


class Pace:
    """See the module. `rate` is messages a second, `burst` how many at once; times are monotonic seconds."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self.buckets: dict[str, Bucket] = {}

    def take(self, viewer: Viewer, now: float) -> float:
        """The viewer's device writes one message; returns 0, or the seconds until it may."""
        device = viewer.session_id or viewer.person_id
        bucket = self.buckets.get(device)
        if bucket is None:
            bucket = self.buckets.setdefault(device, Bucket(self.rate, self.burst, self.burst, now))
        return bucket.take(now)

    def check(self, viewer: Viewer, now: float) -> None:
        """Whether the device may write one more message now. Raises RateLimited."""
        if wait := self.take(viewer, now):
            raise too_quick(wait)

    def forget_rested(self, now: float) -> None:
        """Keeps nothing of those who may write as if they never had."""
        rest_s = self.burst / self.rate
        self.buckets = {device: bucket for device, bucket in self.buckets.copy().items() if bucket.at > now - rest_s}
