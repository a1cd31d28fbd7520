"""The pages in a browser: no error, no warning, no request to the net, and nothing that does not fit the window."""

import shutil

import pytest

from tinydnn.runs.html_report import write_comparison

TOO_WIDE = """[...document.querySelectorAll("body *")].filter(
    element => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroll, svg")
).map(element => element.outerHTML.slice(0, 80))"""


@pytest.fixture(params=["report", "comparison"])
def path(request, run_folder, tmp_path):
    """A page."""
    if request.param == "report":
        return run_folder[0] / "report.html"
    copy = shutil.copytree(run_folder[0], tmp_path / "another")
    write_comparison([run_folder[0], copy], tmp_path / "c.html")
    return tmp_path / "c.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_a_page_opens_without_complaints_or_requests_and_fits(chromium, path, width, dark):
    assert chromium.open(path, width=width, dark=dark) == ([], [])
    assert chromium.evaluate("document.title").startswith(("Report of the run", "Comparison of runs"))
    assert chromium.evaluate(TOO_WIDE) == []
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


def test_the_colours_of_text_and_figures_follow_the_mode(chromium, run_folder):
    def colours(dark):
        chromium.open(run_folder[0] / "report.html", dark=dark)
        ink = "getComputedStyle(document.querySelector({!r})).{}"
        return [
            chromium.evaluate(ink.format(*what))
            for what in (("body", "color"), ("body", "backgroundColor"), ("svg text", "fill"))
        ]

    light, dark = colours(False), colours(True)
    assert all(first != second for first, second in zip(light, dark, strict=True))


@pytest.mark.parametrize(
    ("added", "complaint"),
    [
        ('<img src="https://example.org/x.png" alt="">', "Content Security Policy"),
        ("<script>undefined.broken</script>", "Content Security Policy"),
        ('<link rel="stylesheet" href="https://example.org/x.css">', "Content Security Policy"),
        ('<img src="missing.png" alt="">', "Content Security Policy"),
    ],
)
def test_what_does_not_belong_in_a_page_is_noticed(chromium, run_folder, tmp_path, added, complaint):
    text = (run_folder[0] / "report.html").read_text().replace("</body>", f"{added}</body>")
    (tmp_path / "r.html").write_text(text)
    complaints, _ = chromium.open(tmp_path / "r.html")
    assert any(complaint in text for text in complaints)


@pytest.mark.parametrize(
    ("added", "complaint", "requested"),
    [
        ('<img src="https://example.org/x.png" alt="">', "ERR_NAME_NOT_RESOLVED", "https://example.org/x.png"),
        ("<script>undefined.broken</script>", "TypeError", None),
        ("<script>console.warn('careful')</script>", "careful", None),
        ("<script>fetch('https://example.org/').catch(() => 0)</script>", "ERR_NAME", "https://example.org/"),
    ],
)
def test_the_browser_notices_errors_and_requests_without_the_policy_too(
    chromium, tmp_path, added, complaint, requested
):
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><title>x</title><link rel=icon href='data:,'>{added}")
    complaints, requests = chromium.open(tmp_path / "page.html")
    assert any(complaint in text for text in complaints)
    assert requests == ([] if requested is None else [requested])
