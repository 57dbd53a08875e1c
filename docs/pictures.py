"""The pictures of the README, from a run's report, in headless Chromium:

python docs/pictures.py results/toy/report.html docs

writes report.png, what a reader sees first, and motions.gif, the player's three motions of one sentence: those that the page
opens with, or those of a third argument, the end of the page's address while they are shown (motion=mld,0,0,1,2).
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from motionrft.player.film import write_gif

WIDTH, FILM_WIDTH = 1200, 900
EVERY = 2  # frame of a motion, in the film
COLOURS = 48
# the player alone, its choices as plain text under a sentence in large letters
STAGE_ONLY = """
const style = document.createElement('style');
style.textContent = `header, nav, #found, #main, #answers, #motions h2, #motions > .controls, #scrub, .keys, .bvh, footer { display: none !important }
main { max-width: none; padding: 6px 10px } .stage select { appearance: none; border: 0; background: none; padding: 0; font-weight: 700; color: var(--ink) }
section { margin: 0 } canvas { max-height: none } .stage .facts { flex-basis: 100%; font-size: .8rem } .sentence { margin: 0 0 6px; font-size: 1.25rem; font-weight: 600; text-align: center }`;
document.head.append(style);
const sentence = Object.assign(document.createElement('p'), { className: 'sentence' });
sentence.textContent = `“${entry().prompts[+pick('prompt').value]}”`;
document.querySelector('.stage').before(sentence);
return document.getElementById('motions').getBoundingClientRect().bottom;
"""
MOMENT = """
const done = arguments[1];
state.moment = arguments[0] / fps;
requestAnimationFrame(() => requestAnimationFrame(done));
"""


def pictures(page: Path, out: Path, shown: str = "") -> None:
    """Opens the page as a reader does, and photographs it and its player."""
    options = webdriver.ChromeOptions()
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        _size(driver, WIDTH, 1000)
        driver.get(f"{page.resolve().as_uri()}#{shown}")
        driver.execute_script("play(false)")
        length, fps = driver.execute_script("return [longest(), fps]")
        driver.execute_async_script(MOMENT, length // 2)
        below = driver.execute_script(
            "return document.getElementById('main').getBoundingClientRect().top"
        )
        _size(driver, WIDTH, round(below))
        _photograph(driver).save(out / "report.png", optimize=True)
        _size(driver, FILM_WIDTH, 600)
        height = round(driver.execute_script(STAGE_ONLY))
        _size(driver, FILM_WIDTH, height + 6)
        frames = []
        for frame in range(0, length, EVERY):
            driver.execute_async_script(MOMENT, frame + 0.01)
            frames.append(_photograph(driver).quantize(COLOURS, dither=Image.Dither.NONE))
        write_gif(out / "motions.gif", frames, fps / EVERY)
    finally:
        driver.quit()


def _size(driver: webdriver.Chrome, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _photograph(driver: webdriver.Chrome) -> Image.Image:
    return Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")


if __name__ == "__main__":
    pictures(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
