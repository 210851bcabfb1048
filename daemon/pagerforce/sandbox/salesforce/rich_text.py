"""The stored form of rich text, and the length of a text in bytes.

Fact: ``salesforce.rich-text-is-encoded``. The stored form is HTML: ``&``, ``<``, ``>`` and quotes
are entities, the apostrophe is ``&#39;``; the length is that of the encoded form.
"""

import re
from dataclasses import dataclass

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});")
_MARKUP = re.compile(
    r"</?(?:a|b|br|code|div|em|h[1-6]|i|img|li|ol|p|pre|s|span|strong|sub|sup|table|tbody|td|th|tr|u|ul)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_KEPT = re.compile(f"{_ENTITY.pattern}|{_MARKUP.pattern}", re.IGNORECASE)
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
_LINE_END = re.compile(r"\r\n|\r|\n")
BREAKS = ("br", "kept", "blank")


@dataclass(frozen=True, slots=True)
class RichText:
    """How a rich text field stores plain text.

    Attributes:
        breaks: the form of a line break: ``br`` markup, ``kept`` unchanged, or a ``blank``.
        wraps: whether the whole text is put into a paragraph.

    Raises:
        ValueError: ``breaks`` is none of these.
    """

    breaks: str = "br"
    wraps: bool = False

    def __post_init__(self) -> None:
        if self.breaks not in BREAKS:
            raise ValueError(f"breaks must be one of {', '.join(BREAKS)}")

    def stored(self, text: str) -> str:
        """The text in its stored form; markup and entities in it stay."""
        made = escaped(text)
        if self.breaks != "kept":
            made = _LINE_END.sub("<br>" if self.breaks == "br" else " ", made)
        if self.wraps and not made.lower().startswith("<p"):
            made = f"<p>{made}</p>"
        return made


def escaped(text: str) -> str:
    """The text with its special characters as entities, except those of its markup."""
    parts, end = [], 0
    for kept in _KEPT.finditer(text):
        parts += [text[end : kept.start()].translate(_ESCAPES), kept.group()]
        end = kept.end()
    return "".join((*parts, text[end:].translate(_ESCAPES)))


def encoded_bytes(text: str) -> int:
    """UTF-8 bytes of the text in its HTML encoding."""
    return len(text.translate(_ESCAPES).encode("utf-8", errors="surrogatepass"))
