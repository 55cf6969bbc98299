"""The page that the link in an alert opens: how it stands, and two buttons.

::

    GET  /a/<token> ── good ──▶ the page          looking changes nothing: programs look at mails, too
              └─────── bad ───▶ a sorry page
    POST /a/<token> ── answer, commit ──▶ 303, to the page
              └─────── too late ────────▶ 409, the page and why

Whoever has the link is who it was sent to. There is neither a login nor a cookie, so that another site has
nothing to abuse. Errors are the API's, with their status, in words for a person.
"""

from __future__ import annotations

import base64
import hashlib
from http import HTTPStatus

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as BaseResponse

from alertops.answer_links import LinkedTarget
from alertops.errors import ConflictError, NotFoundError
from alertops.services.accounts.throttle import take
from alertops.services.answer_by_mail import MAX_NOTE, MailAnswer, answer_by_mail
from alertops.services.find_linked import Linked, find_linked
from alertops.services.tell_story import tell_story
from api import answer_words
from api.client import calling_client
from api.extensions import answer_links, dispatcher, limits, session

MAX_FORM_BYTES = 16 * 1024

# What a path that answers can be followed by: nothing more is told to where the page is left for.
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STYLE = "page.css"
_TITLES = {
    400: "That was no answer",
    404: "This link is not complete",
    410: "This link does not work any more",
    429: "Too many tries",
    503: "Please try again",
}

blueprint = Blueprint("answer_page", __name__)


@blueprint.get("/a/<string:token>")
def show(token: str) -> Response:
    """How the alert stands. Nothing is changed by looking, however often."""
    return _page(find_linked(session(), _read(token), calling_client()))


@blueprint.post("/a/<string:token>")
def answer(token: str) -> BaseResponse:
    """Acknowledge or resolve. Pressing twice is safe."""
    request.max_content_length = MAX_FORM_BYTES
    target = _read(token)
    take(session(), limits().answer_by_link(target.key))
    linked = find_linked(session(), target, calling_client())
    try:
        answer_by_mail(session(), dispatcher(), linked, _given(), request.form.get("note", ""))
    except ConflictError as error:
        return _page(linked, refused=str(error))
    # Relative: the token is repeated nowhere.
    return redirect("?answered", HTTPStatus.SEE_OTHER)


def _read(token: str) -> LinkedTarget:
    target = answer_links().read(token)
    if target is None:
        take(session(), limits().bad_link(calling_client().address))
        raise NotFoundError("This is no link of ours, or a part of it is missing.")
    return target


def _given() -> MailAnswer:
    try:
        return MailAnswer(request.form.get("answer", ""))
    except ValueError as error:
        raise BadRequest("Press one of the buttons on the page: to acknowledge, or to resolve.") from error


def _page(linked: Linked, *, refused: str | None = None) -> Response:
    page = render_template(
        "answer.html",
        story=tell_story(session(), linked),
        refused=refused,
        words=answer_words,
        max_note=MAX_NOTE,
    )
    return make_response(page, HTTPStatus.CONFLICT if refused else HTTPStatus.OK)


@blueprint.after_request
def _in_words(response: Response) -> Response:
    """An error of the API, as a page."""
    problem = response.get_json() if response.mimetype == "application/problem+json" else None
    if problem is not None:
        title = _TITLES.get(response.status_code, "That did not work")
        response.set_data(render_template("sorry.html", title=title, problem=problem))
        response.content_type = "text/html; charset=utf-8"
    return response


@blueprint.after_request
def _protect(response: Response) -> Response:
    response.headers.update(_HEADERS)
    response.headers["Content-Security-Policy"] = current_app.extensions["alertops.answer_page.csp"]
    return response


@blueprint.record
def _allow_own_style(state: BlueprintSetupState) -> None:
    """The page may do nothing but look as it does, and send its form to where it came from."""
    style = state.app.jinja_env.get_template(_STYLE).render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    state.app.extensions["alertops.answer_page.csp"] = (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
