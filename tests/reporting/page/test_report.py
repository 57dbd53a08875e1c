"""The report in a real browser: no console error, no request leaves the page, tables sort, the player plays."""

from __future__ import annotations

import base64
import io
import re
import runpy
import time

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image
from selenium.webdriver.common.keys import Keys

from motionrft.configuration import ROOT
from motionrft.corpus.bvh.file import read_bvh
from motionrft.reporting import figures
from motionrft.reporting.page.pictures import pictures
from motionrft.reporting.page.report import write_report
from motionrft.workflow_plan import Plan
from tests.browser import performance_log, requests_of
from tests.reporting.figures.test_figures import OF_METHODS


@pytest.fixture(scope="module")
def page(records, drawn):
    out = records.folder / "report.html"
    write_report(records, out, Plan(records.run).job_counts())
    return out


@pytest.mark.browser
def test_the_page_in_a_browser(page, browser):
    browser.get(page.as_uri())
    assert "made" in browser.title
    # recorded, base and the paper's method side by side; the player plays by itself
    shown = browser.execute_script(
        "return [...document.querySelectorAll('.view select')].map((s) => s.selectedOptions[0].text)"
    )
    assert shown == ["recorded", "base", "easytune"]
    first = browser.execute_script("return document.body.dataset.frame")
    time.sleep(0.6)
    assert browser.execute_script("return document.body.dataset.frame") != first
    inked = browser.execute_script(
        "const c = document.querySelectorAll('.view canvas')[2]; return c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data.some((v) => v > 0)"
    )
    assert inked
    # and stops
    browser.find_element("id", "play").click()
    held = browser.execute_script("return document.body.dataset.frame")
    time.sleep(0.3)
    assert browser.execute_script("return document.body.dataset.frame") == held
    # what is folded opens by its link
    assert not browser.find_element("id", "table-finetuning").is_displayed()
    browser.find_element("css selector", "nav a[href='#question-method']").click()
    time.sleep(0.2)
    assert browser.find_element("id", "table-finetuning").is_displayed()
    # a click sorts, a second click turns the order round; rows without a number stay last
    numbers = {}
    for place in (2, 8):  # R@1; peak memory, which no model that was not fine-tuned has
        column = f"[...document.querySelectorAll('#table-finetuning ~ .scroll table')[0].tBodies[0].rows].map((r) => r.cells[{place}].dataset.sort)"
        heads = browser.find_elements("css selector", "#table-finetuning ~ .scroll thead button")
        heads[place].click()
        up = browser.execute_script(f"return {column}")
        heads[place].click()
        down = browser.execute_script(f"return {column}")
        numbers[place] = [float(value) for value in up if value]
        assert numbers[place] == sorted(numbers[place])
        assert [float(value) for value in down if value] == numbers[place][::-1]
    assert len(numbers[2]) == len(up)
    assert up[-1] == down[-1] == ""
    # the filter hides rows, and tables of which none is left
    browser.find_element("id", "filter").send_keys("easytune")
    shown = browser.execute_script(
        "return [...document.querySelectorAll('#answers tbody tr')].filter((r) => !r.hidden).map((r) => r.textContent.toLowerCase())"
    )
    assert shown
    assert all("easytune" in text for text in shown)
    assert not browser.find_element("id", "table-faithfulness").is_displayed()
    # every rule is in the drawing, and the run that the guard flagged is named
    assert browser.execute_script("return document.querySelectorAll('svg.dag rect').length") > 10
    flagged = browser.find_element("id", "question-reward").get_attribute("textContent")
    assert "mdm / easytune / seed 2" in flagged
    # nothing complained and nothing left the page
    severe = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert [message for message in severe if not message.startswith("chrome")] == []
    urls = requests_of(page.as_uri(), performance_log(browser))
    assert urls[0] == page.as_uri()
    assert all(url.startswith(("file:", "data:")) for url in urls), urls


@pytest.mark.browser
def test_keys_and_links_of_the_player(page, browser):
    browser.get(page.as_uri())
    body = browser.find_element("tag name", "body")
    frame = "return +document.body.dataset.frame"
    body.send_keys(" ")
    held = browser.execute_script(frame)
    time.sleep(0.3)
    assert browser.execute_script(frame) == held
    body.send_keys(Keys.ARROW_RIGHT)
    time.sleep(0.1)
    assert browser.execute_script(frame) == held + 1
    before = browser.execute_script("return state.yaw")
    body.send_keys(".")
    assert browser.execute_script("return state.yaw") > before
    body.send_keys(Keys.ARROW_DOWN)
    second = browser.execute_script("return document.getElementById('prompt').value")
    assert second == "1"
    # the address brings back what was shown
    browser.execute_script(
        "const s = document.querySelectorAll('.view select')[0];"
        " s.value = 1; s.dispatchEvent(new Event('change'))"
    )
    address = browser.current_url
    assert "#motion=mdm,1,1," in address
    browser.get("about:blank")
    browser.get(address)
    shown = browser.execute_script(
        "return [document.getElementById('prompt').value,"
        " document.querySelectorAll('.view select')[0].selectedOptions[0].text]"
    )
    assert shown == ["1", "base"]


@pytest.mark.browser
def test_what_the_player_saves(page, browser, tmp_path):
    browser.get(page.as_uri())
    blob = """
        const done = arguments[arguments.length - 1];
        save = (file) => file.arrayBuffer().then((b) => {
          let text = ''; for (const c of new Uint8Array(b)) text += String.fromCharCode(c); done(btoa(text)); });
        %s"""
    film = base64.b64decode(
        browser.execute_async_script(blob % "document.getElementById('gif').click();")
    )
    picture = Image.open(io.BytesIO(film))
    assert picture.size == (720, 220)
    assert picture.n_frames > 10
    picture.seek(5)
    assert (
        len(picture.convert("RGB").getcolors(1 << 20)) > 4
    )  # paper, ink and both sides of the body
    text = base64.b64decode(browser.execute_async_script(blob % "saveBvh(views[2]);"))
    path = tmp_path / "motion.bvh"
    path.write_bytes(text)
    assert len(read_bvh(path).rotation) > 20


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
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
    )
    browser.get(page.as_uri())
    wide = browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide <= 0


@pytest.mark.browser
def test_it_is_short_until_it_is_unfolded(page, browser):
    browser.get(page.as_uri())
    assert browser.execute_script("return document.documentElement.scrollHeight") < 8000


# what a checker of accessibility calls serious, each as the elements that break it
BREAKS = {
    "scrolls, and no key reaches it": """[...document.querySelectorAll('main *')].filter((e) =>
        /auto|scroll/.test(getComputedStyle(e).overflow + getComputedStyle(e).overflowY)
        && (e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1) && e.tabIndex < 0
        && !e.querySelector('a, button, input, select, [tabindex]'))""",
    "is a heading cell without text": """[...document.querySelectorAll('th')].filter((e) => !e.textContent.trim())""",
    "has no name": """[...document.querySelectorAll('button, select, input, a[href], summary, [role=region], [role=img]')].filter((e) =>
        !e.closest('[hidden]') && !e.textContent.trim() && !e.labels?.length && !e.ariaLabel
        && !document.getElementById(e.getAttribute('aria-labelledby')))""",
    "select without a label": """[...document.querySelectorAll('select')].filter((e) => !e.labels.length && !e.ariaLabel)""",
    "picture without words": """[...document.images].filter((e) => !e.alt)""",
    "id used twice": """[...document.querySelectorAll('[id]')].filter((e, i, all) => all.findIndex((o) => o.id === e.id) < i)""",
    "skips a level of headings": """[...document.querySelectorAll('h1, h2, h3, h4')].filter((e, i, all) => i && e.tagName[1] - all[i - 1].tagName[1] > 1)""",
    "link to nowhere": """[...document.querySelectorAll("a[href^='#']")].filter((e) => !document.querySelector(e.hash))""",
}


@pytest.mark.browser
@pytest.mark.parametrize("width", [1400, 390])
def test_keys_and_screen_readers_reach_everything(page, browser, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach((e) => (e.open = true))")
    found = {
        rule: browser.execute_script(f"return {breaks}.map((e) => e.outerHTML.slice(0, 200))")
        for rule, breaks in BREAKS.items()
    }
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert found == {rule: [] for rule in BREAKS}


@pytest.mark.browser
def test_who_asks_for_less_motion_gets_it(page, browser):
    less = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", less)
    browser.get(page.as_uri())
    playing = browser.execute_script("return state.playing")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert playing is False


@pytest.mark.browser
def test_the_pictures_of_the_readme(page, browser, tmp_path):
    del browser  # for a machine without one to skip
    made = runpy.run_path(str(ROOT / "docs" / "pictures.py"))
    made["pictures"](page, tmp_path)
    with Image.open(tmp_path / "motions.gif") as film:
        assert film.width == made["FILM_WIDTH"]
        first, later = (np.array(_seen(film, frame)) for frame in (0, film.n_frames // 2))
    thirds = np.array_split((first != later).any(-1), 3, axis=1)
    assert all(part.any() for part in thirds)  # each of the three moves
    with Image.open(tmp_path / "report.png") as still:
        assert still.width == made["WIDTH"]


def _seen(film, frame):
    film.seek(frame)
    return film.convert("RGB")


def test_the_page_stands_alone(page):
    text = page.read_text(encoding="utf-8")
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert "not comparable" in text


def test_every_figure_is_on_the_page_by_its_caption(page, drawn):
    text = page.read_text(encoding="utf-8")
    shown = list(pictures(drawn))
    absent = set(figures.names()) - {picture["name"] for picture in shown}
    assert absent == OF_METHODS  # of one method there is nothing to compare
    assert all(f"<figcaption>{escape(picture['title'])}</figcaption>" in text for picture in shown)
    assert "<figure><figcaption>" not in text  # a caption without its picture
    assert "KIT-ML" in text.partition('id="absent"')[2]


def test_the_page_says_what_was_found_and_what_was_not_run(page):
    text = page.read_text(encoding="utf-8")
    first = text.partition('id="motions"')[0]
    assert "2 methods of reward fine-tuning on one text-to-motion model" in first
    assert "claims of the papers that it can test" in first
    main = text.partition('id="main"')[2].partition("</table>")[0]
    keys = [float(key) for key in re.findall(r'data-sort="(.*?)"', main)]
    assert len(keys) == 4 * main.count('<th scope="row">')  # scores and differences sort as numbers
    holds = first.partition("Holds here")[2].partition("</ul></div>")[0]
    assert "fits sentences better than its base model" in holds
    assert "not run" not in text.partition('id="answers"')[0]
