"""Answer the mailbox pages, and what a mail in them can do: load a picture, follow a link."""

import base64
import re
from urllib.parse import quote

from . import control, pages, worker
from .mailgun import links, tracked_html
from .program import Refused

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# The mail's own HTML runs no script, sends no form and lives on an origin of its own.
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src * data:;"
    " style-src 'unsafe-inline'; base-uri 'self'"
)


def show_mailbox(handler):
    to = handler.query.get("to", "").lower()
    try:
        page = max(1, int(handler.query.get("page", 1)))
    except ValueError:
        page = 1
    handler.send_page(pages.mailbox(handler.store, to=to, page=page))


def show_message(handler, key):
    message = handler.message(key)
    part = handler.query.get("part", "html" if message["html"] else "text")
    note = handler.query.get("note", "")
    handler.send_page(pages.message(handler.store, message, part=part, note=note))


def show_html(handler, key):
    text = tracked_html(handler.message(key))
    base = '<base target="_blank"><meta name="referrer" content="no-referrer">'
    with_base, heads = re.subn(r"<head\b[^>]*>", lambda m: m[0] + base, text, count=1, flags=re.IGNORECASE)
    handler.send_page(with_base if heads else base + text, MAIL_POLICY)


def do_from_page(handler, key, action):
    message = handler.message(key)
    try:
        if action == "one-click":
            note = f"The sender's page answered {control.one_click(message)}"
        else:
            event = control.do(handler, message, action, {})
            note = f"{action}: reported to the sender" if event else f"{action}: not tracked, nothing reported"
    except Refused as refused:
        note = str(refused)
    handler.redirect(f"/messages/{message['id']}?note={quote(note)}")


def show_attachment(handler, key, position):
    item = handler.store.attachment(handler.message(key), int(position))
    if not item:
        raise Refused(404, "Attachment not found")
    place = f"attachment; filename*=UTF-8''{quote(item['name'])}"
    kind = item["content_type"] if re.fullmatch(r"[\w.+;= /\"-]+", item["content_type"]) else "application/octet-stream"
    handler.send(item["content"], kind, Content_Disposition=place)


def pixel(handler, key):
    worker.opened(handler.store, handler.message(key), handler.headers.get("User-Agent", ""))
    handler.send(PIXEL, "image/gif")


def follow_link(handler, key, position):
    message = handler.message(key)
    known = links(message)
    if int(position) >= len(known):
        raise Refused(404, "Link not found")
    url = known[int(position)]
    worker.clicked(handler.store, message, url, handler.headers.get("User-Agent", ""))
    handler.send(b"", "text/plain", 302, Location=quote(url, safe=":/?#[]@!$&'()*+,;=%-._~"))


def unsubscribe_link(handler, key):
    with handler.store.write():
        worker.unsubscribe(handler.store, handler.message(key))
    handler.send_page(pages.notice("You are unsubscribed", "The sender has been told."))
