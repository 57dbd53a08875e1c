"""What else the site makes of the code: pages of methods and backbones, links to source, formulas, docstrings."""

import re

import pytest

from motionrft.configuration import ROOT, available, part
from motionrft.finetune.method_options import read_method
from motionrft.reporting.records import Records
from motionrft.reporting.stored import store
from tests.reporting.made_run import make_run
from website import backbones, methods, reports, repository, sources
from website.walks import walked


def test_every_method_and_backbone_is_described():
    text = methods.page()
    for name in available("methods"):
        assert f"[`{name}`](#" in text, name
    table = backbones.page()
    for name in available("backbones"):
        assert f"[`{name}`](#" in table, name
    for page in (text, table):
        anchors = set(re.findall(r"\{ #(\w+) \}", page))
        assert set(re.findall(r"\]\(#(\w+)\)", page)) <= anchors


def test_parameters_are_the_published_ones():
    counts = backbones.counted("paper")
    assert counts["mdm"] / 1e6 == pytest.approx(17.88, abs=0.01)  # MDM's own count without CLIP
    assert counts["hymotion-lite"] / 1e9 == pytest.approx(0.46, abs=0.01)
    assert backbones.short(1_046_000_000) == "1.05 G"
    assert backbones.short(17_880_327) == "17.9 M"


def test_a_walk_is_the_method_s_own():
    def steps(name):
        parts = walked(read_method(part("methods", name, "test"), 10, "one_step"))
        return [sorted(part.live) for part in parts if part.scored]

    assert steps("draft-50") == [list(range(10))]
    assert steps("easytune") == [[8], [9]]
    assert steps("draft-10") == [[8, 9]]


def test_the_memory_figure_reads_the_page_of_memory():
    drawn = backbones.figure().decode()
    assert {"mdm", "hymotion", "draft-50"} <= set(re.findall(r">([\w-]+)</text>", drawn))


def test_sample_reports_are_those_that_are_kept(tmp_path):
    assert "None is kept yet" in reports.page(tmp_path)
    run = Records(make_run(tmp_path / "run"))
    store(run, tmp_path / "kept" / "made")
    assert "None is kept yet" in reports.page(tmp_path / "kept")  # its records, without a report
    (tmp_path / "kept" / "made" / "report.html").write_text("x" * 1_200_000)
    page = reports.page(tmp_path / "kept")
    assert "(made/report.html) (1.2 MB)" in page
    assert 'src="made/report.html" title="Report of the run made"' in page
    assert "on one text-to-motion model, on a procedural corpus of 20 clips" in page


def test_names_lead_to_lines():
    path, line = sources.target("motionrft.finetune.window:Window.steps")
    assert path == "motionrft/finetune/window.py"
    assert "def steps(" in (ROOT / path).read_text(encoding="utf-8").splitlines()[line - 1]
    assert sources.target("tests/website/test_pages.py::test_names_lead_to_lines")[1] > 1
    assert sources.target("motionrft/no/such.py") is None
    assert sources.target("make docs") is None
    page = sources.linked(
        '<p><code>motionrft/errors.py</code> <a href="x"><code>motionrft/errors.py</code></a></p>',
        "../",
    )
    assert page.count('href="../source/motionrft/errors.py.html#__codelineno-0-1"') == 1


def test_links_of_the_repository_are_links_of_the_site():
    assert repository.relinked("[a](docs/data.md#x)", "README.md") == "[a](data.md#x)"
    assert repository.relinked("[a](docs/results)", "README.md") == "[a](results/README.md)"
    assert repository.relinked("[a](../CHANGELOG.md)", "docs/faq.md") == "[a](changelog.md)"
    assert repository.relinked("[a](first_steps.ipynb)", "docs/faq.md") == "[a](first_steps.md)"
    assert (
        repository.relinked("[a](../config/toy.yaml)", "docs/faq.md")
        == "[a](source/config/toy.yaml.md)"
    )
    assert (
        repository.relinked("[a](config/skeletons)", "README.md")
        == "[a](source/config/skeletons.md)"
    )
    assert "](skeletons/cmu.yaml.md)" in sources.page("config/skeletons")
    for kept in ("[a](https://x.org/y)", "[a](#below)", "[a](no/such.md)"):
        assert repository.relinked(kept, "README.md") == kept


def test_formulas_become_mathml():
    pytest.importorskip("latex2mathml", reason="make docs installs it")
    from website import formulas

    made = formulas.rendered(
        '<p><span class="arithmatex">\\(\\mathcal L_{a}\\lt\\mathbb E x\\)</span></p>'
    )
    assert made.startswith("<p><math")
    assert "ℒ" in made
    assert "𝔼" in made
    with pytest.raises(formulas.FormulaError, match="nosuchthing"):
        formulas.mathml(r"\nosuchthing x", "inline")
