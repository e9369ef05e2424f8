import pytest

from local.cli.browser import Page

REVIEW = """
<html><head><title>Review</title><style>p { color: red }</style></head><body>
<form action="/search"><input name="q"><button>Search</button></form>
<h1>Model &lt;m&gt;</h1>
<form method="post" action="decide?x=1">
  <input type="hidden" name="csrf" value="a&quot;b">
  <input name="reviewer" required>
  <input type="checkbox" name="subscribe" value="yes">
  <input type="checkbox" name="read" checked>
  <input name="old" value="gone" disabled>
  <textarea name="comment">So far</textarea>
  <button type="button" name="help" value="1">Help</button>
  <button name="decision" value="approve">Approve</button>
  <input type="submit" name="decision" value="reject">
</form></body></html>
"""


@pytest.fixture
def page() -> Page:
    return Page("http://x/review/1", 200, REVIEW)


@pytest.mark.parametrize("choice", ["approve", "reject"])
def test_the_form_is_found_by_its_button(page: Page, choice: str) -> None:
    form = page.form_with_button("decision", choice)
    assert (form.method, form.action) == ("POST", "decide?x=1")


def test_untouched_fields_are_sent_as_a_browser_sends_them(page: Page) -> None:
    form = page.form_with_button("decision", "approve")
    assert form.fields == {"csrf": 'a"b', "reviewer": "", "read": "on", "comment": "So far"}


def test_only_the_button_that_was_pressed_is_sent(page: Page) -> None:
    form = page.form_with_button("decision", "approve")
    sent = form.filled({"reviewer": "Ann", "comment": "Good"}, ("decision", "approve"))
    assert sent == {"csrf": 'a"b', "reviewer": "Ann", "read": "on", "comment": "Good", "decision": "approve"}


def test_an_entry_without_a_field_in_the_form_is_not_sent(page: Page) -> None:
    form = page.form_with_button("decision", "reject")
    assert "nickname" not in form.filled({"nickname": "x"}, ("decision", "reject"))


def test_a_button_that_does_not_submit_cannot_decide(page: Page) -> None:
    with pytest.raises(LookupError):
        page.form_with_button("help", "1")


def test_the_error_for_a_page_without_the_button_quotes_the_page() -> None:
    with pytest.raises(LookupError, match="already decided by Ann"):
        Page("http://x", 200, "<p>already decided by Ann</p>").form_with_button("decision", "approve")


def test_the_text_of_a_page_is_what_a_person_reads(page: Page) -> None:
    assert page.text == "Search Model <m> So far Help Approve"
