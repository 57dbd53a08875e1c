"""The picture at the top of the README, from a run's report, in headless Chromium:

python docs/screenshot.py results/toy/report.html docs/report.png
"""

import shutil
import sys
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1420,1000")
# what a first look needs: summary, the first table, the motions, the reward curves
SHORTEN = """
const tables = document.getElementById('tables');
let heads = 0;
for (const part of [...tables.children]) {
  heads += part.tagName === 'H3';
  part.hidden = part.tagName === 'H2' || heads !== 1 || part.tagName === 'P' || part.tagName === 'DETAILS';
}
for (const figure of document.querySelectorAll('#figures figure')) {
  figure.hidden = !figure.textContent.startsWith('Reward while fine-tuning');
}
for (const id of ['jobs', 'config']) document.getElementById(id).hidden = true;
document.documentElement.style.overflow = 'hidden';  // no scroll bar
const prompt = document.getElementById('prompt');  // the third one: a still of a jump says little
prompt.selectedIndex = Math.min(2, prompt.options.length - 1);
prompt.dispatchEvent(new Event('change'));
return document.documentElement.scrollHeight;
"""


def photograph(page: Path, out: Path) -> None:
    """Opens the page, leaves the parts that SHORTEN names, and writes a PNG of all of them."""
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get(page.resolve().as_uri())
        height = driver.execute_script(SHORTEN)
        driver.set_window_size(1420, height + 100)
        time.sleep(1.0)  # the player has moved
        driver.save_screenshot(str(out))
    finally:
        driver.quit()


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(sys.argv[2]))
