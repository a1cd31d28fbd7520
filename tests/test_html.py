"""HTML for notebooks."""

import pytest

from tinydnn import html


def test_text_from_files_is_escaped():
    pages = [
        html.table(("<b>",), [("<i>",)], columns="l"),
        html.paragraph("<script>"),
        html.picture(b"", caption='"><script>', width=8),
    ]
    for page in pages:
        assert "&lt;" in page
        assert "<script>" not in page
        assert "<b>" not in page
        assert "<i>" not in page
    assert 'alt="&quot;&gt;&lt;script&gt;"' in pages[2]


def test_numbers_are_aligned_right_and_the_total_is_a_heading():
    page = html.table(("class", "slices"), [("glioma", "7"), ("all", "7")], columns="lr", last_is_total=True)
    assert '<td style="text-align: left">glioma</td><td style="text-align: right">7</td>' in page
    assert '<th style="text-align: right">7</th>' in page


def test_nothing_is_coloured():
    page = html.table(("a",), [("b",)], columns="l") + html.picture(b"", caption="c", width=8) + html.paragraph("d")
    assert "color" not in page
    assert "background" not in page


def test_a_row_of_another_length_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        html.table(("a", "b"), [("c",)], columns="lr")


def test_dollar_signs_do_not_begin_a_formula_and_long_texts_are_cut():
    page = html.table(("class",), [("$x^2$",), ("long" * 50,)], columns="l")
    assert "<span>$</span>x^2<span>$</span>" in page
    assert "long" * 14 + "lon…" in page
