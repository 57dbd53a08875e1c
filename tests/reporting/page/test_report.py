"""The report in a real browser: no console error, no request leaves the page, tables sort, the player plays."""

from __future__ import annotations

import time

import pytest

from motionrft.reporting import figures
from motionrft.reporting.page.report import pictures, write_report
from motionrft.workflow_plan import Plan
from tests.browser import performance_log, requests_of


@pytest.fixture(scope="module")
def page(records, drawn):
    out = records.folder / "report.html"
    write_report(records, out, Plan(records.run).job_counts())
    return out


@pytest.mark.browser
def test_the_page_in_a_browser(page, browser):
    browser.get(page.as_uri())
    assert "made" in browser.title
    # the paper's method beside the base model; the player plays by itself
    assert browser.find_element("id", "name-right").text == "easytune"
    first = browser.execute_script("return document.body.dataset.frame")
    time.sleep(0.6)
    assert browser.execute_script("return document.body.dataset.frame") != first
    inked = browser.execute_script(
        "const c = document.getElementById('view-right'); return c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data.some((v) => v > 0)"
    )
    assert inked
    # and stops
    browser.find_element("id", "play").click()
    held = browser.execute_script("return document.body.dataset.frame")
    time.sleep(0.3)
    assert browser.execute_script("return document.body.dataset.frame") == held
    # a click sorts, a second click turns the order round; rows not run stay last
    column = "[...document.querySelectorAll('#table-finetuning ~ .scroll table')[0].tBodies[0].rows].map((r) => r.cells[2].dataset.sort)"
    head = browser.find_elements("css selector", "#table-finetuning ~ .scroll thead button")[2]
    head.click()
    up = browser.execute_script(f"return {column}")
    head.click()
    down = browser.execute_script(f"return {column}")
    numbers = [float(value) for value in up if value]
    assert numbers == sorted(numbers)
    assert [float(value) for value in down if value] == numbers[::-1]
    assert up[-1] == down[-1] == ""
    # the filter hides rows
    browser.find_element("id", "filter").send_keys("easytune")
    shown = browser.execute_script(
        "return [...document.querySelectorAll('#tables tbody tr')].filter((r) => !r.hidden).map((r) => r.textContent.toLowerCase())"
    )
    assert shown
    assert all("easytune" in text for text in shown)
    # every rule is in the drawing, and the run that the guard flagged is named
    assert browser.execute_script("return document.querySelectorAll('svg.dag rect').length") > 10
    assert "mdm / easytune / seed 2" in browser.find_element("id", "summary").text
    # nothing complained and nothing left the page
    severe = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert [message for message in severe if not message.startswith("chrome")] == []
    urls = requests_of(page.as_uri(), performance_log(browser))
    assert urls[0] == page.as_uri()
    assert all(url.startswith(("file:", "data:")) for url in urls), urls


@pytest.mark.browser
def test_requests_that_leave_a_page_are_seen(tmp_path, browser):
    leaving = [f"http://127.0.0.1:9/{name}" for name in ("image", "frame", "late")]
    page = tmp_path / "leaving.html"
    page.write_text(
        f"<img src='{leaving[0]}'><iframe src='{leaving[1]}'></iframe>"
        f"<script>setTimeout(() => fetch('{leaving[2]}').catch(() => {{}}), 100)</script>"
    )
    browser.get(page.as_uri())
    time.sleep(0.5)
    urls = requests_of(page.as_uri(), performance_log(browser))
    assert sorted(urls) == sorted([page.as_uri(), *leaving])
    browser.get_log("browser")  # what this page complained of is not another page's


def test_requests_of_the_start_page_do_not_count():
    def request(url, loader, frame="top"):
        kind = "Document" if url.endswith("html") else "Script"
        params = {"loaderId": loader, "frameId": frame, "request": {"url": url}, "type": kind}
        return {"method": "Network.requestWillBeSent", "params": params}

    def attached(frame, parent):
        params = {"frameId": frame, "parentFrameId": parent}
        return {"method": "Page.frameAttached", "params": params}

    log = [
        request("chrome://new-tab-page/", "start"),
        attached("one-google-bar", "top"),
        request("chrome-untrusted://new-tab-page/bar", "bar", "one-google-bar"),
        request("file:///report.html", "page"),
        request("chrome-untrusted://new-tab-page/late", "bar", "one-google-bar"),
        request("chrome://favicon2/", "start"),
        request("https://example.org/font", "page"),
        attached("inner", "top"),
        request("https://example.org/inner", "inner", "inner"),
    ]
    assert requests_of("file:///report.html", log) == [
        "file:///report.html",
        "https://example.org/font",
        "https://example.org/inner",
    ]


@pytest.mark.browser
def test_it_fits_a_phone(page, browser):
    browser.set_window_size(500, 900)
    browser.get(page.as_uri())
    wide = browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0


def test_the_page_stands_alone(page):
    text = page.read_text(encoding="utf-8")
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert "not comparable" in text


def test_every_figure_is_on_the_page_by_its_caption(page, drawn):
    text = page.read_text(encoding="utf-8")
    captions = [picture["title"] for picture in pictures(drawn)]
    assert len(captions) == len(figures.names())
    assert captions[0] == "FID against peak memory of fine-tuning (1a)"
    assert captions[-2:] == [
        "mdm: eight moments of a motion, base above fine-tuned (12)",
        "mdm: base above fine-tuned, the same prompt and noise in a column (12)",
    ]
    assert text.count("<figcaption>") == len(captions)
