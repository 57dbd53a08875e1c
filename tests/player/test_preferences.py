"""The page of comparisons in a real browser: keys, coming back, the table; and which motions it compares."""

from __future__ import annotations

import csv
import io
import time

import pytest
import torch

from motionrft.cli import main
from motionrft.corpus.kinds.toy import make_clip
from motionrft.corpus.samples import Samples, read_samples, write_samples
from motionrft.files import file_digest
from tests.browser import performance_log, requests_of

CAPTIONS = ['a person says "hello, you"', "a person walks", "a man waves", "a woman sits down"]


def write(path, seed, captions=CAPTIONS):
    joints = [
        torch.from_numpy(make_clip(4 * seed + row, {"seed": 0})[0]).float()
        for row in range(len(captions))
    ]
    features = [motion.flatten(1) for motion in joints]
    clips = [f"clip{caption}" for caption in captions]
    write_samples(path, Samples("joint", features, joints, list(captions), clips, "mdm", {}))
    return path


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    return write(folder / "a.safetensors", 0), write(folder / "b.safetensors", 1, CAPTIONS[::-1])


@pytest.fixture(scope="module")
def page(samples):
    out = samples[0].with_name("preferences.html")
    assert main(["preferences", *map(str, samples), "--out", str(out)]) == 0
    return out


def press(browser, key):
    from selenium.webdriver.common.keys import Keys

    browser.find_element("tag name", "body").send_keys(getattr(Keys, key, key))


def facts(browser):
    return browser.execute_script(
        "return [+document.body.dataset.pair, +document.body.dataset.decided]"
    )


def table(browser):
    return list(csv.DictReader(io.StringIO(browser.execute_script("return table()"))))


@pytest.mark.browser
def test_choices_by_key_are_kept_and_become_rows(page, samples, browser, tmp_path):
    browser.get(page.as_uri())
    assert facts(browser) == [0, 0]
    assert browser.execute_script("return pairs.length") == 4
    browser.find_element("id", "rater").send_keys("Ann, B.")
    browser.find_element("tag name", "h1").click()
    press(browser, "ARROW_LEFT")
    press(browser, "ARROW_DOWN")
    press(browser, "ARROW_RIGHT")
    assert facts(browser) == [3, 3]
    rows = table(browser)
    assert [row["rater"] for row in rows] == ["Ann, B."] * 2  # the tie is left out

    # a row names the motion that stood at the chosen side
    shown = browser.execute_script("return pairs.map((p) => [p.caption, p.left, p.rows])")
    opened = {str(path): read_samples(path) for path in samples}
    for row, (caption, left, places), side in zip(rows, (shown[0], shown[2]), (0, 1), strict=True):
        winner = left if side == 0 else 1 - left
        assert row["caption"] == caption
        assert row["winner_file"] == str(samples[winner])
        assert int(row["winner_index"]) == places[winner]
        assert int(row["loser_index"]) == places[1 - winner]
        for one in ("winner", "loser"):
            assert opened[row[f"{one}_file"]].captions[int(row[f"{one}_index"])] == caption
            assert row[f"{one}_digest"] == file_digest(row[f"{one}_file"])

    # another visit goes on where this one ended
    browser.get(page.as_uri())
    assert facts(browser) == [3, 3]
    assert table(browser) == rows
    # and so does another browser, from the file
    text = browser.execute_script("return table()")
    saved = tmp_path / "pairs.csv"
    saved.write_text(text, encoding="utf-8")
    browser.execute_script("localStorage.clear()")
    browser.get(page.as_uri())
    assert facts(browser) == [0, 0]
    browser.find_element("id", "load").send_keys(str(saved))
    time.sleep(0.3)
    assert "2 of 2 rows" in browser.find_element("id", "message").text
    assert table(browser) == rows
    assert facts(browser) == [1, 2]
    # a choice can be taken back
    press(browser, "BACKSPACE")
    press(browser, "ARROW_RIGHT")
    assert table(browser)[0]["winner_file"] == rows[0]["loser_file"]
    browser.execute_script("localStorage.clear()")


@pytest.mark.browser
def test_the_page_plays_says_no_model_and_sends_nothing(page, browser):
    browser.get(page.as_uri())
    text = browser.find_element("tag name", "body").text
    assert "safetensors" not in text
    assert "mdm" not in text
    pixels = "const c = document.getElementById('view-left'); return c.toDataURL()"
    first = browser.execute_script(pixels)
    time.sleep(0.5)
    assert browser.execute_script(pixels) != first
    press(browser, " ")
    held = browser.execute_script(pixels)
    time.sleep(0.3)
    assert browser.execute_script(pixels) == held
    severe = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert [message for message in severe if not message.startswith("chrome")] == []
    urls = requests_of(page.as_uri(), performance_log(browser))
    assert all(url.startswith(("file:", "data:")) for url in urls), urls


@pytest.mark.browser
def test_a_foreign_table_is_refused_and_one_of_other_samples_is_not_taken(page, browser, tmp_path):
    browser.get(page.as_uri())
    load, message = browser.find_element("id", "load"), browser.find_element("id", "message")
    foreign = tmp_path / "foreign.csv"
    foreign.write_text("a,b\n1,2\n")
    load.send_keys(str(foreign))
    time.sleep(0.3)
    assert "no pairs.csv" in message.text
    press(browser, "ARROW_LEFT")
    other = tmp_path / "other.csv"
    digest = table(browser)[0]["winner_digest"]
    other.write_text(browser.execute_script("return table()").replace(digest, "0" * 12))
    load.send_keys(str(other))
    time.sleep(0.3)
    assert "0 of 1 rows" in message.text
    browser.execute_script("localStorage.clear()")


def test_sides_and_order_are_drawn(samples, tmp_path):
    pages = []
    for seed in ("0", "0", "1"):
        out = tmp_path / "page.html"
        assert main(["preferences", *map(str, samples), "--seed", seed, "--out", str(out)]) == 0
        pages.append(out.read_text(encoding="utf-8"))
    assert pages[0] == pages[1] != pages[2]


def test_what_cannot_be_compared_is_one_line(samples, tmp_path, capsys):
    out = tmp_path / "page.html"
    other = write(tmp_path / "other.safetensors", 2, ["a person jumps"])
    for second in (other, samples[0]):  # no caption in common; nothing but equal motions
        assert main(["preferences", str(samples[0]), str(second), "--out", str(out)]) == 2
        assert "no caption has one motion here and another" in capsys.readouterr().err
    assert not out.exists()
