"""The quick way to a text's tokens finds what the long way finds."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from search.names import cuts, names
from search.stems import STEM_MARK
from search.words import tokens

PIECES = st.sampled_from(
    [
        *("red", "coats", "t-shirt", "ORD-26274052", "a@b.example", "+1", "408", "247-8880", "(408)", "+", "C++", "#"),
        *(
            "京都",
            "東",
            "สวัสดี",
            "👍🏽",
            "🇩",
            "🇪",
            "café",
            "cafe\u0301",
            "\u0301",
            "١٢٣",
            "Ⅳ",
            "²",
            "\u00b4",
            "ﾊﾟ",
            "ㅎ",
            "가",
        ),
    ]
)
BLANKS = st.sampled_from([" ", "  ", "\n", "\t", "\u00a0", "\u3000", "\u2028", "\x1f", "\u200b", ""])
TEXTS = st.lists(st.tuples(PIECES | st.text(max_size=5), BLANKS)).map(
    lambda parts: "".join(piece + blank for piece, blank in parts)
)


@given(TEXTS)
@example("call +1 (408) 247 8880 now")
@example("4 08 247 88 80")
@example("in 2 rooms for 12 days, 12(34)5678 or 5 5 408 247")
@example("the 408-247-8880. 12 coats " * 200)
def test_names_are_the_tokens(text: str) -> None:
    assert sorted(names(text)) == sorted((token.text, token.position) for token in tokens(text))


@given(TEXTS)
@example('a"b \\c\\d \x00 "e"')
def test_parts_of_a_cut_are_its_names_and_need_no_quoting_in_json(text: str) -> None:
    for cut in cuts(text):
        spine = [(word, place) for place, word in enumerate(cut.spine.split())]
        stems = cut.stems.split()
        assert sorted([*spine, *cut.others]) == sorted((name, place) for name, place in cut.names if name not in stems)
        assert sorted(stems) == sorted(name for name, _ in cut.names if name.startswith(STEM_MARK))
        assert len(spine) == cut.length
        assert [place for _, place in cut.others] == sorted(place for _, place in cut.others)
        assert all(json.dumps(name, ensure_ascii=False) == f'"{name}"' for name, _ in cut.names)
