"""Moments as a reader would write them, in their language and time zone. Pure; used by all renderings."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache

from babel.dates import format_date, format_datetime, format_time, get_timezone, get_timezone_name

from history.clean import isolated
from history.sentences import Language

KNOWN_DATES, KNOWN_CLOCKS, KNOWN_ZONES = 1000, 10_000, 1000
"""How many words are kept: Babel takes as long for one of them as all else in a message."""


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
        return date_words(self.language, self.at(at_ms).date())

    def clock(self, at_ms: int) -> str:
        """23:47"""
        at = self.at(at_ms)
        return clock_words(self.language, at.hour, at.minute)

    def offset(self, at_ms: int) -> str:
        """GMT+01:00"""
        text = format_datetime(self.at(at_ms), "ZZZZ", tzinfo=self.zone, locale=self.language.locale)
        return self.language.digits(text)

    def zone_words(self) -> str:
        """Central European Time (Europe/Berlin)"""
        return zone_words(self.language, self.zone, self.zone_name)


@lru_cache(KNOWN_DATES)
def date_words(language: Language, day: date) -> str:
    return language.digits(format_date(day, "long", locale=language.locale))


@lru_cache(KNOWN_CLOCKS)
def clock_words(language: Language, hour: int, minute: int) -> str:
    """With plain spaces, because text readers show Babel's narrow ones as boxes."""
    text = format_time(time(hour, minute), "short", locale=language.locale)
    return language.digits(text.replace("\u202f", " "))


@lru_cache(KNOWN_ZONES)
def zone_words(language: Language, zone: tzinfo, zone_name: str) -> str:
    if zone_name == "UTC":
        return "UTC"
    name = get_timezone_name(zone, locale=language.locale)
    return f"{name} ({isolated(zone_name, language.direction)})"


def local_time(language: Language, time_zone: str) -> LocalTime:
    """Calendar and clock in a language and an IANA zone; UTC where the zone is unknown."""
    try:
        zone, zone_name = get_timezone(time_zone), time_zone
    except (LookupError, ValueError):
        zone, zone_name = get_timezone("UTC"), "UTC"
    return LocalTime(language, zone, zone_name)
