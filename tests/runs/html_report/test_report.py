"""The report of a run: one file that is well-formed, needs nothing else, and says what the run's files say."""

import json
import re
import shutil
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import find_method
from tinydnn.runs import Options, Run
from tinydnn.runs.html_report import write_report
from tinydnn.runs.html_report.curves import _top, curves
from tinydnn.runs.html_report.gallery import PER_PATIENT, least_certain, worst_mistakes
from tinydnn.runs.html_report.protocol import changed_options, protocol_rows
from tinydnn.runs.html_report.report import report_page
from tinydnn.training.protocol import Step, Validation

VOID = {"meta", "link", "img", "br"}
LOADING = {"src", "href", "data", "poster", "srcset", "action", "background", "xlink:href"}


class Page(HTMLParser):
    """The elements, ids and addresses of a page. Raises AssertionError for tags that are not balanced."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.addresses, self.attributes = [], [], [], [], set()
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]
        self.addresses += [value for name, value in attributes if name in LOADING]
        self.attributes |= {name for name, _ in attributes}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text(run_folder):
    return (run_folder[0] / "report.html").read_text()


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_needs_nothing_from_elsewhere_and_has_no_script(page, text):
    assert page.addresses
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert not re.search(r"url\((?!#)|@import", text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "base", "form"}
    assert not [name for name in page.attributes if name.startswith("on")]


def test_names_from_outside_are_text(text):
    shown = unescape(re.sub(r"<[^>]*>", "", text.split("</style>")[1]))
    assert "<script>alert('x')</script>\"><img src=http://example.org/x.png onerror=alert(1)>&amp;{{ 7*7 }}" in shown
    assert "<script" not in text
    assert "<img src=http" not in text


def test_every_id_is_of_one_element_and_every_link_leads_to_one(page):
    assert len(set(page.ids)) == len(page.ids)
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.ids)
    titles = [f"{tag['id']}-title" for name, tag in page.tags if name == "section"]
    assert len(titles) == 10
    assert set(titles) <= set(page.ids)


def test_pictures_have_descriptions_and_tables_have_headers(page):
    images = [tag for name, tag in page.tags if name == "img"]
    drawings = [tag for name, tag in page.tags if name == "svg"]
    assert images
    assert all(tag["alt"] for tag in images)
    assert len(drawings) == 5
    assert all(tag["role"] == "img" and tag["aria-label"] for tag in drawings)
    headers = [tag for name, tag in page.tags if name == "th"]
    assert all(tag.get("scope") in ("row", "col", "colgroup") for tag in headers)


def test_the_headline_is_that_of_the_metrics(run_folder, text):
    metrics = json.loads((run_folder[0] / "metrics.json").read_text())
    assert f"<strong>{100 * metrics['accuracy']:.1f}" in text
    assert all(f"<b>{count}</b>" in text for row in metrics["confusion_matrix"] for count in row)
    assert "No patient of the test set was used to train the network" in text
    assert "Not a medical device" in text


def test_the_same_files_give_the_same_bytes(run_folder, text, tmp_path):
    folder, dataset = run_folder
    write_report(folder, dataset, path=tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == text


def test_without_the_data_the_report_says_so_and_has_no_pictures(run_folder, tmp_path):
    write_report(run_folder[0], None, path=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "The slices were not at hand when this report was made" in text
    tags = Page(text).tags
    assert not [tag for name, tag in tags if name == "img"]
    assert "embedding" not in [tag.get("id") for _, tag in tags]


def test_a_model_that_grad_cam_does_not_explain_is_shown_by_its_slices(run_folder, tmp_path, monkeypatch):
    unfit = replace(find_method("grad-cam"), supports=lambda model: False)
    monkeypatch.setattr("tinydnn.runs.html_report.gallery.METHOD", unfit)
    write_report(*run_folder, path=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "Grad-CAM does not explain this network, so the slices are shown alone." in text
    assert "Grad-CAM of the answer" not in text
    assert [tag for name, tag in Page(text).tags if name == "img"]


def test_a_report_that_fails_is_reported_and_does_not_lose_the_run(run_folder, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise KeyError("broken")

    monkeypatch.setattr("tinydnn.runs.html_report.write_report", fail)
    run = Run(tmp_path, Options(model="batchnorm", size=16, batch_size=8, epochs=1), run_folder[1])
    run.start()
    list(run.records())
    with pytest.warns(UserWarning, match=r"report\.html could not be written: KeyError\('broken'\)"):
        run.finish()
    assert run.complete


@pytest.mark.parametrize(
    ("held_out", "top"), [([0.5], 1.05), ([1.5, 0.5], 1.575), ([50.0, 0.5], 5.25), ([float("nan")], 1.05), ([], 1.05)]
)
def test_losses_after_an_epoch_fit_into_the_plot_unless_they_would_flatten_it(held_out, top):
    assert _top(np.ones(9), np.array(held_out)) == pytest.approx(top)


@pytest.mark.parametrize(
    ("model", "cropped", "expected"),
    [
        ("baseline", False, "not learned from; not used in testing"),
        ("regions", False, "the network learns from them where to look; not used in testing"),
        ("baseline", True, "not learned from; the slices are cropped by them, at test time too"),
    ],
)
def test_the_protocol_says_what_masks_are_used_for(results, model, cropped, expected):
    run = results(mask_used_at_test=cropped)
    run.config["options"]["model"] = model
    assert protocol_rows(run)["Tumour masks"] == expected


def test_slices_of_patients_in_training_are_named(results):
    run = results()
    protocol = run.metrics["protocol"]
    leaking = results(protocol=protocol | {"test_slices_with_patient_in_training": 12}, interval_over="slices")
    text = report_page(leaking, None)
    assert "12 of 30 test slices (40.0" in text
    assert "so the accuracy does not apply to new patients" in text
    assert "The interval treats the slices as independent" in text
    unknown = results(protocol=protocol | {"test_slices_with_patient_in_training": None}, patients=[""] * 30)
    text = report_page(unknown, None)
    assert text.count("The patients of the test slices are unknown") == 2


def test_a_class_without_slices_and_a_run_without_errors_have_a_report(results):
    run = results(names=("a", "b", "c", "absent"), slices=9)
    assert "A class without slices in the test set, or the only one, has no curve." in report_page(run, None)
    predictions = run.predictions
    perfect = replace(predictions, evaluation=replace(predictions.evaluation, labels=run.guesses))
    Page(report_page(replace(run, predictions=perfect), None))


@pytest.mark.parametrize("slices", [1, 3])
def test_a_test_set_of_one_class_has_a_report(results, slices):
    run = results(slices=slices)
    assert set(run.labels) == {0}
    assert "or the only one, has no curve" in report_page(run, None)


def test_the_gallery_shows_few_slices_of_any_one_patient(results):
    run = results(slices=90)
    mistakes, uncertain = worst_mistakes(run), least_certain(run)
    assert not run.correct[mistakes].any()
    assert run.correct[uncertain].all()
    confidence = run.probabilities.max(axis=1)
    assert (confidence[mistakes][:-1] >= confidence[mistakes][1:]).all()
    assert (confidence[uncertain][:-1] <= confidence[uncertain][1:]).all()
    one = results(slices=90, patients=["P"] * 90)
    assert len(worst_mistakes(one)) == PER_PATIENT
    unknown = results(slices=90, patients=[""] * 90)
    assert worst_mistakes(unknown)[0] == mistakes[0]
    assert len(worst_mistakes(unknown)) > PER_PATIENT


def test_the_options_that_differ_from_the_defaults_are_listed_without_folders(results):
    run = results()
    run.config["options"] |= {"data": "/home/someone/slices", "epochs": 3, "balance": True, "recipe": "/home/x/my.toml"}
    shown = {flag: value for flag, value, _ in changed_options(run)}
    assert shown == {"--epochs": "3", "--balance": "True", "--recipe": "my.toml"}
    assert "/home" not in report_page(run, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda folder: (folder / "metrics.json").unlink(),
            "of a finished run, found no metrics.json",
        ),
        (
            lambda folder: (folder / "config.json").write_text("{}"),
            "the file of a run, found no 'command' in it",
        ),
        (lambda folder: (folder / "config.json").write_text("{"), "expected JSON, found something else"),
        (lambda folder: (folder / "predictions.csv").write_text("x"), "expected the predictions of a run"),
        (lambda folder: (folder / "history.csv").unlink(), "expected the history of a run"),
        (lambda folder: (folder / "crossval.json").touch(), "found a cross-validation; name one of its folds"),
    ],
)
def test_a_folder_without_a_finished_run_is_refused(run_folder, tmp_path, change, words):
    folder = shutil.copytree(run_folder[0], tmp_path / "copy")
    change(folder)
    with pytest.raises(InputError, match=words):
        write_report(folder, None)


def test_predictions_that_do_not_fit_the_metrics_are_refused(results):
    run = results(slices=30)
    with pytest.raises(InputError, match=r"expected 31 predictions, as metrics\.json says, found 30"):
        replace(run, metrics=run.metrics | {"slices": 31})


def test_a_loss_that_rises_on_held_out_slices_stays_within_the_axes(results):
    run = results()
    steps = [Step(1, 1, 0.1, 1.0, 0.5, 0.5), Step(1, 2, 0.1, 0.5, 0.8, 0.5)]
    records = [*steps, Validation(1, 1, 1.0, 0.5), Validation(2, 2, 4.0, 0.5)]
    panel = curves(replace(run, records=records)).content["panels"][1]
    ticks = [float(text) for text in re.findall(r">([\d.]+)</text>", panel)]
    assert max(ticks) >= 3


def test_long_names_of_classes_are_cut_in_legends_and_whole_in_tables(results):
    name = "a very long name of a class that would not fit into a legend"
    text = report_page(results(names=("a", name, "c")), None)
    assert f">{name[:27]}…</text>" in text
    assert f'<th scope="row">{name}</th>' in text
