"""Headless Chromium for tests of pages, and what a page asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1600",
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A page left open keeps playing on a processor: the browser ends with its module."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    if shutil.which("chromedriver") is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            pytest.skip("no chromedriver, and no root to install Debian's chromium-driver")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(
            [
                "apt-get",
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
                "chromium",
                "chromium-driver",
            ],
            check=True,
        )
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def performance_log(browser):
    return [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]


def requests_of(page, messages):
    """URLs asked for by the page at this address and by the frames inside it, in order.

    The log also has the requests of the browser's own start page, before and after the page's first,
    in the same frame: another document there has another loader.
    """
    events = [
        (message["params"], message["method"] == "Network.requestWillBeSent")
        for message in messages
        if message["method"] in {"Network.requestWillBeSent", "Page.frameAttached"}
    ]
    begin = next(i for i, (event, sent) in enumerate(events) if sent and is_document(event, page))
    others = {event["loaderId"] for event, sent in events[:begin] if sent}
    frames, urls = {events[begin][0]["frameId"]}, []
    for event, sent in events[begin:]:
        if not sent and event["parentFrameId"] in frames:
            frames.add(event["frameId"])
        elif sent and event["frameId"] in frames and event["loaderId"] not in others:
            urls.append(event["request"]["url"])
    return urls


def is_document(event, page):
    return event["type"] == "Document" and event["request"]["url"] == page
