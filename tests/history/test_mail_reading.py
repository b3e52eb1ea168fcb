"""Mails as strangers and their programs write them: charsets, flowing lines, parts in parts, what is made to hurt."""

import base64
import io
import zipfile
from email.message import EmailMessage

import pytest

from history.errors import Invalid, TooBig
from history.mail.receive import reading
from history.mail.receive.cutting import cut, ours
from history.mail.receive.html_text import text_of_html
from history.mail.receive.reading import File, read_mail
from tests.history.arrivals import mail_of
from tests.history.replies import ADDRESS, BRAND

WE = ours((ADDRESS,), (BRAND,))
NOBODY = ours((), ())


def said(raw: bytes) -> str:
    return cut(read_mail(raw).text, WE).text


def mail(body: bytes, content_type: str = "text/plain; charset=utf-8", *headers: str) -> bytes:
    lines = ["From: alex@example.net", "Subject: x", f"Content-Type: {content_type}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize(
    ("charset", "content"),
    [
        ("utf-8", "grün".encode()),
        ("iso-8859-1", "grün".encode("latin-1")),
        ("iso-8859-1", "grün".encode()),
        ("us-ascii", "grün".encode()),
        ("us-ascii", "grün".encode("cp1252")),
        ("utf-8", "grün".encode("latin-1")),
        ("no-such-charset", "grün".encode()),
        ("rot13", "grün".encode()),
        ("utf-16", "grün".encode("utf-16")),
        ("iso-8859-15", "grün".encode("iso-8859-15")),
        ("windows-1250", "grün".encode("cp1250")),
        ('"utf-8"', "grün".encode()),
    ],
)
def test_words_are_read_whatever_their_charset_is_said_to_be(charset: str, content: bytes) -> None:
    encoded = base64.encodebytes(content)
    assert said(mail(encoded, f"text/plain; charset={charset}", "Content-Transfer-Encoding: base64")) == "grün"


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("koi8-r", "зелёный"),
        ("iso-2022-jp", "緑"),
        ("shift_jis", "緑"),
        ("gb18030", "绿色"),
        ("euc-kr", "녹색"),
        ("big5", "綠色"),
    ],
)
def test_old_charsets_of_other_scripts_are_read(charset: str, text: str) -> None:
    assert said(mail(text.encode(charset), f"text/plain; charset={charset}")) == text


def test_without_any_header_it_is_a_text() -> None:
    assert said(b"\r\nGreen") == "Green"
    assert said(b"Green, not a header") == "Green, not a header"


def test_lines_that_flow_are_paragraphs_again() -> None:
    body = "One two \nthree.\n\n>> old \n>> words\n> newer\n-- \nAlex"
    raw = mail(body.encode(), "text/plain; charset=utf-8; format=flowed")
    assert read_mail(raw).text == "One two three.\n\n>> old words\n> newer\n-- \nAlex"
    assert said(raw) == "One two three.\n\n>> old words\n> newer"
    joined = mail("緑 \nです".encode(), "text/plain; charset=utf-8; format=flowed; delsp=yes")
    assert read_mail(joined).text == "緑です"
    assert read_mail(mail(b" From here\n >not a quote", "text/plain; format=flowed")).text == "From here\n>not a quote"


def test_plain_text_counts_before_html_unless_it_says_nothing() -> None:
    both = EmailMessage()
    both.set_content("plain")
    both.add_alternative("<p>html</p>", subtype="html")
    assert said(both.as_bytes()) == "plain"
    empty = EmailMessage()
    empty.set_content("\n")
    empty.add_alternative("<p>html</p>", subtype="html")
    assert said(empty.as_bytes()) == "html"


def test_text_around_a_picture_is_one_text_and_files_are_named() -> None:
    whole = EmailMessage()
    whole.set_content("above")
    whole.add_attachment(b"\xff\xd8" * 20_000, "image", "jpeg", filename="../the lid\u202e.jpg")
    whole.add_attachment("below", disposition="inline")
    whole.add_attachment(b"x", "application", "ms-tnef")
    whole.add_attachment(b"{}", "application", "json")
    read = read_mail(whole.as_bytes())
    assert read.text.split() == ["above", "below"]
    assert [file.name for file in read.files] == ["the lid .jpg", "winmail.dat", "file.json"]
    assert read.files[0].size > 40_000


def test_a_logo_that_only_the_html_names_is_no_file() -> None:
    page = EmailMessage()
    page.set_content('<p>hi</p><img src="cid:logo">', subtype="html")
    page.add_related(b"\x89PNG" * 100, "image", "png", cid="<logo>")
    read = read_mail(page.as_bytes())
    assert (read.text.strip(), read.files) == ("hi", ())


def test_a_mail_in_the_mail_is_a_file_and_nobodys_words() -> None:
    inner = EmailMessage()
    inner["Subject"] = "your parcel"
    inner.set_content("inner words")
    outer = EmailMessage()
    outer.set_content("see below")
    outer.add_attachment(inner)
    read = read_mail(outer.as_bytes())
    assert read.text.strip() == "see below"
    assert [file.name for file in read.files] == ["your parcel.eml"]


def test_a_zip_is_never_opened() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"0" * 50_000_000)
    bomb = EmailMessage()
    bomb.set_content("see the file")
    bomb.add_attachment(packed.getvalue(), "application", "zip", filename="bomb.zip")
    read = read_mail(bomb.as_bytes())
    assert read.files == (File("bomb.zip", read.files[0].size),) and read.files[0].size < 100_000


def test_what_is_too_big_too_many_or_too_deep_is_refused() -> None:
    with pytest.raises(TooBig):
        read_mail(b"x" * (reading.MOST_BYTES + 1))
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    assert read_mail(mail(part * 1990 + b"--b--", "multipart/mixed; boundary=b")).text.count("x") == 1990
    with pytest.raises(Invalid, match="more than 2000 parts"):
        read_mail(mail(part * 2001 + b"--b--", "multipart/mixed; boundary=b"))
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(60))
    with pytest.raises(Invalid, match="within parts"):
        read_mail(deep)
    mails = b"Content-Type: message/rfc822\r\n\r\n" * 5000
    with pytest.raises(Invalid, match=r"within parts|more than"):
        read_mail(mails)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 100,
        b"From: =?utf-8?b?////?= <a@b.example>\r\n\r\nx",
        b"From: =?no-such?q?=C3?= <a@b.example>\r\nSubject: =?utf-8?q?=ff?=\r\n\r\nx",
        b"Content-Type: ;;;\r\nContent-Transfer-Encoding: =?\r\n\r\nx",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nnever ended",
        b"Content-Type: text/plain; charset*=utf-8''%ff%fe\r\n\r\nx",
        b"Content-Disposition: attachment; filename*0*=utf-16''%00; filename*1=x\r\n\r\nx",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!not base64!!!",
        b"From: a@b.example\r\nFrom: c@d.example\r\n\r\nx",
        b"From: " + b"(" * 5000 + b"a@b.example\r\n\r\nx",
        b"To: " + b"<" * 5000 + b"\r\n\r\nx",
    ],
)
def test_a_broken_mail_is_read_as_far_as_it_goes(raw: bytes) -> None:
    mail = read_mail(raw)
    assert "\x00" not in mail.text
    assert mail.sender_name.isprintable()


def test_no_sign_that_could_harm_reaches_the_chat() -> None:
    raw = mail("a\x00b\x07c\ud800d\u202ee\r\n".encode(errors="surrogatepass"))
    text = read_mail(raw).text
    assert not set("\x00\x07\ud800") & set(text)
    text.encode()


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<div>a</div><div>b</div>", "a\nb"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<p>a<p>b", "a\nb"),
        ("</div></p>a</blockquote>", "a"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<blockquote>mine</blockquote>a", "> mine\na"),
        ("a&nbsp;b &lt;c&gt; &#x1F600;", "a b <c> \U0001f600"),
        ("<a href='javascript:x'>a</a> <a href='https://x.example/'>b</a>", "a b (https://x.example/)"),
        ("<div style='display:none'>hidden</div>seen", "seen"),
        ("<script>x</script><style>y</style><!-- z --><title>t</title>seen", "seen"),
        ("<blockquote type=cite>old<blockquote>older</blockquote></blockquote>new", "\nnew"),
        ("<div class=gmail_quote><blockquote>old", ""),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
    ],
)
def test_html_is_read_as_it_is_seen(html: str, text: str) -> None:
    assert text_of_html(html)[0].strip("\n") == text.strip("\n")


@pytest.mark.parametrize(
    "piece", ["<div>", "<blockquote>", "</div>", "<a href=x>", "<!--", "<![CDATA[", "&", "<p", "<b></i>"]
)
def test_html_that_is_made_to_hurt_is_read_in_the_end(piece: str) -> None:
    text_of_html(piece * (reading.MOST_TEXT_BYTES // len(piece)))


def test_every_case_of_the_other_tests_is_read_whole() -> None:
    assert said(mail_of("\nGreen.\n")) == "Green."
    assert cut("x", NOBODY).text == "x"
