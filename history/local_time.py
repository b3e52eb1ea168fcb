"""Moments as a reader would write them, in their locale and time zone. Pure; used by all renderings."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time, get_timezone, get_timezone_name

DEFAULT_LOCALE = Locale("en", "GB")
"""For English without a country, and for locales that we do not know: 22 November 2026, 23:47."""


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A reader's calendar and clock. Moments are milliseconds since 1970, UTC."""

    locale: Locale
    zone: tzinfo
    zone_name: str
    """The IANA name."""

    def at(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self.zone)

    def date(self, at_ms: int) -> str:
        """22 November 2026"""
        return format_date(self.at(at_ms), "long", locale=self.locale)

    def clock(self, at_ms: int) -> str:
        """23:47; with plain spaces, because text readers show Babel's narrow ones as boxes."""
        text = format_time(self.at(at_ms), "short", tzinfo=self.zone, locale=self.locale)
        return text.replace("\u202f", " ")

    def offset(self, at_ms: int) -> str:
        """GMT+01:00"""
        return format_datetime(self.at(at_ms), "ZZZZ", tzinfo=self.zone, locale=DEFAULT_LOCALE)

    def zone_words(self) -> str:
        """Central European Time (Europe/Berlin)"""
        if self.zone_name == "UTC":
            return "UTC"
        return f"{get_timezone_name(self.zone, locale=DEFAULT_LOCALE)} ({self.zone_name})"


def local_time(locale: str, time_zone: str) -> LocalTime:
    """Calendar and clock for a locale (`de-AT`) and an IANA zone; UTC and English where they are unknown."""
    try:
        zone, zone_name = get_timezone(time_zone), time_zone
    except (LookupError, ValueError):
        zone, zone_name = get_timezone("UTC"), "UTC"
    return LocalTime(known_locale(locale), zone, zone_name)


def known_locale(locale: str) -> Locale:
    try:
        parsed = Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return DEFAULT_LOCALE
    return DEFAULT_LOCALE if str(parsed) == "en" else parsed
