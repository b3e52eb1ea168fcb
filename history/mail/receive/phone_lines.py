"""The line that phones and mail programs add by themselves, such as "Sent from my iPhone": recognised by a word for
sending, or getting, in one of many languages beside the name of a device or program. Called by `cutting.py`; pure.

A language that is missing here leaves the line standing, which harms nobody; a sentence of a person stays by its length
and its end.
"""

import re

NAMES = re.compile(
    r"iphone|ipad|android|galaxy|samsung|pixel|huawei|honor|xiaomi|redmi|oppo|oneplus|motorola|nokia|blackberry"
    r"|windows|outlook|yahoo|proton|gmail|gmx|web\.de|mail\.ru|yandex|tutanota|spark|k-9|fairemail|foxmail",
    re.IGNORECASE,
)
VERBS = re.compile(
    r"sent|get |gesendet|verschickt|envoy|envoi|enviad|obtener|inviat|verzonden|verstuurd|skickat|sendt|sendur"
    r"|l[äa]hetetty|wys[łl]an|odesl|odoslan|poslan|elk[üu]ldve|k[üu]ld|trimis|enviat|si[ųu]st|nos[ūu]t[īi]"
    r"|отправлен|надіслан|изпратен|послато|στάλθηκε|εστάλη|g[öo]nderil|送信|发自|發自|傳送|寄自|보냄|보낸|đã gửi|gửi t"
    r"|ส่งจาก|dikirim|dihantar|भेज|تم الإرسال|أرسلت|מכשיר|נשלח|ارسال|فرستاده",
    re.IGNORECASE,
)
MOST_LETTERS, MOST_WORDS = 90, 9
WEB_ADDRESS = re.compile(r"[<(\[]*https?://\S+|[\[\]]")


def is_phone_line(line: str) -> bool:
    """Whether a line, which stands alone, was added by a program."""
    said = WEB_ADDRESS.sub(" ", line)
    if len(said) > MOST_LETTERS or len(said.split()) > MOST_WORDS or said.rstrip().endswith(("?", "!", "\uff1f", "؟")):
        return False
    return bool(NAMES.search(said) and VERBS.search(said))
