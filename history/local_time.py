"""Moments as a reader would write them, in their language and time zone. Pure; used by all renderings."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from babel.dates import format_date, format_datetime, format_time, get_timezone, get_timezone_name

from history.clean import isolated
from history.sentences import Language


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A reader's calendar and clock. Moments are milliseconds since 1970, UTC."""

    language: Language
    zone: tzinfo
    zone_name: str
    """The IANA name."""

    def at(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self.zone)

    def date(self, at_ms: int) -> str:
        """22 November 2026"""
        return self.language.digits(format_date(self.at(at_ms), "long", locale=self.language.locale))

    def clock(self, at_ms: int) -> str:
        """23:47; with plain spaces, because text readers show Babel's narrow ones as boxes."""
        text = format_time(self.at(at_ms), "short", tzinfo=self.zone, locale=self.language.locale)
        return self.language.digits(text.replace("\u202f", " "))

    def offset(self, at_ms: int) -> str:
        """GMT+01:00"""
        text = format_datetime(self.at(at_ms), "ZZZZ", tzinfo=self.zone, locale=self.language.locale)
        return self.language.digits(text)

    def zone_words(self) -> str:
        """Central European Time (Europe/Berlin)"""
        if self.zone_name == "UTC":
            return "UTC"
        name = get_timezone_name(self.zone, locale=self.language.locale)
        return f"{name} ({isolated(self.zone_name, self.language.direction)})"


def local_time(language: Language, time_zone: str) -> LocalTime:
    """Calendar and clock in a language and an IANA zone; UTC where the zone is unknown."""
    try:
        zone, zone_name = get_timezone(time_zone), time_zone
    except (LookupError, ValueError):
        zone, zone_name = get_timezone("UTC"), "UTC"
    return LocalTime(language, zone, zone_name)
