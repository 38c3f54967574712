"""E-mail messages: the text that was written, and the headers that say who, when and what about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.documents import Source
from index.loading.decoding import Text, decode
from index.loading.html import text_of_page
from index.loading.loaded import Loaded, Unreadable, iso_date, label, one_document

if TYPE_CHECKING:
    from email.message import EmailMessage, MIMEPart


def read_eml(data: bytes, name: str) -> Loaded:
    """Return a message as one document: its plain text, else what its HTML shows. Attachments are not read."""
    if not data:
        raise Unreadable("empty")
    message = _parsed(data)
    if not any(header in message for header in ("From", "Date", "Subject", "Message-ID")):
        raise Unreadable("not an e-mail")
    if message.get_content_type() == "multipart/encrypted":
        raise Unreadable("password-protected")
    body = message.get_body(("plain", "html"))
    if body is None:
        raise Unreadable("no text")
    decoded = _decoded(body)
    text = text_of_page(decoded.text) if body.get_content_type() == "text/html" else decoded.text
    source = Source(
        name, title=label(_header(message, "Subject")), date=_date(message), author=_author(_header(message, "From"))
    )
    attachments = sum(1 for _ in message.iter_attachments()) if message.is_multipart() else 0
    left_out = f"{attachments} attachment{'s' * (attachments != 1)} not read"
    return one_document(text, source, (*decoded.notes, *((left_out,) if attachments else ())))


def _parsed(data: bytes) -> EmailMessage:
    import email
    import email.policy

    return email.message_from_bytes(data, policy=email.policy.default)


def _decoded(body: MIMEPart) -> Text:
    payload = body.get_payload(decode=True)
    return decode(payload if isinstance(payload, bytes) else b"", declared=body.get_content_charset())


def _header(message: EmailMessage, name: str) -> str:
    return str(message.get(name, ""))


def _author(sender: str) -> str | None:
    from email.utils import parseaddr

    shown, address = parseaddr(sender)
    return label(shown) or label(address)


def _date(message: EmailMessage) -> str | None:
    from email.utils import parsedate_to_datetime

    try:
        return iso_date(parsedate_to_datetime(_header(message, "Date")).isoformat())
    except (ValueError, TypeError, IndexError):
        return None
