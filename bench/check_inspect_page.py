#!/usr/bin/env python3
"""Drives the pages of `cloze inspect` and `cloze embed-map` in headless Chromium.

    python bench/check_inspect_page.py --model DIR [--build build/release] [--screenshots DIR] [--long DIR]

Needs selenium, and Debian's chromium and chromium-driver. DIR of --model is a fill-mask model; --long takes
a larger one, for a text of 512 tokens. Checks clicks, hover, keys, layer and head, filters, the tabs, dark and
light, a narrow window, the inflater of browsers without DecompressionStream, text that looks like HTML, and
that the console stays silent; measures size, time to appear and time of a frame. Exits 1 when a check fails.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.chrome.service import Service

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = "The old fisherman mended his [MASK] while the tide came in over the grey stones."
PAIR = "Nobody had told him that the boat was gone."
NASTY = "</script><script>document.title='x'</script><img src=x onerror=\"document.title='x'\"> 'a' & \u202edog\u0007 [MASK]"
MAP = [("A puppy runs in the park.", "animals"), ("The kitten sleeps all day.", "animals"), ("Horses gallop on the beach.", "animals"),
       ("A wolf howled at night.", "animals"), ("Birds build nests in spring.", "animals"), ("The cat chased a mouse.", "animals"),
       ("Shares fell on Tuesday.", "money"), ("The bank raised its interest rate.", "money"), ("Inflation hurts savers.", "money"),
       ("She invested in bonds.", "money"), ("The company reported a profit.", "money"), ("Taxes are due in April.", "money"),
       ("Boil the pasta in salted water.", "food"), ("The soup needs more pepper.", "food"), ("He baked a chocolate cake.", "food"),
       ("Fresh bread smells wonderful.", "food"), ("Grill the fish with lemon.", "food"), ("A ripe mango is sweet.", "food"),
       ("<b>Not bold</b> & \"quoted\"", "odd")]
failed = []


def check(what, held, detail=""):
    print(f"{'ok  ' if held else 'FAIL'} {what}{' (' + str(detail) + ')' if detail != '' else ''}", flush=True)
    if not held:
        failed.append(what)


def browser(width=1360, height=1000, dark=False, before=""):
    options = webdriver.ChromeOptions()
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.set_window_size(width, height)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    if width < 500:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
    if before:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": before})
    return driver


def show(driver, page):
    began = time.time()
    driver.get(f"file://{page}")
    while not driver.execute_script("return document.documentElement.dataset.ready"):
        if time.time() - began > 20:
            sys.exit(f"error: {page} did not appear; the console says {driver.get_log('browser')}")
        time.sleep(0.01)
    driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))")
    return time.time() - began


def settle(driver):
    driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30)))")


def find(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def silent(driver, what):
    log = [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    check(f"{what}: the console is silent", not log, log or "")


def tab(driver, name):
    for one in driver.find_elements(By.CSS_SELECTOR, "[role=tab]"):
        if one.text == name:
            one.click()
            settle(driver)
            return
    check(f"there is a tab {name}", False)


def choose(driver, name):
    for one in driver.find_elements(By.CSS_SELECTOR, "[role=radio]"):
        if one.is_displayed() and one.text == name:
            one.click()
            settle(driver)
            return
    check(f"there is a choice {name}", False)


def pixels(driver, selector):
    return driver.execute_script("const c = document.querySelector(arguments[0]); return c.toDataURL()", selector)


def attention(driver, shoot):
    title, top = lambda: find(driver, "#head-title").text, lambda: find(driver, "#top").text
    check("begins at layer 1, head 1", title() == "Layer 1, head 1", title())
    before = top()
    driver.execute_script("const s = document.querySelector('#layer'); s.value = '2'; s.dispatchEvent(new Event('change'))")
    settle(driver)
    check("another layer shows other attention", title().startswith("Layer 3") and top() != before, title())
    canvas = find(driver, "#thumbnails")
    size = canvas.size
    ActionChains(driver).move_to_element_with_offset(canvas, size["width"] // 2 - 12, -size["height"] // 2 + 32).click().perform()
    settle(driver)
    check("a click on a thumbnail chooses its head", title().startswith("Layer 1, head 1") and title() != "Layer 1, head 1", title())
    canvas.send_keys(Keys.ARROW_DOWN)
    settle(driver)
    check("arrow keys choose a head", title().startswith("Layer 2"), title())
    token = driver.find_elements(By.CSS_SELECTOR, "#attention-panel .token")[3]
    before = top()
    ActionChains(driver).move_to_element(token).perform()
    settle(driver)
    check("hover shows where a token looks", token.text.lower() in find(driver, "#top-title").text.lower() and top() != before,
          find(driver, "#top-title").text)
    shoot("attention-text")
    driver.execute_script("arguments[0].focus()", driver.find_elements(By.CSS_SELECTOR, "#attention-panel .token")[0])
    ActionChains(driver).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER).perform()
    settle(driver)
    check("keys pick a token", "token 2" in find(driver, "#top-title").text, find(driver, "#top-title").text)
    for filter_name in ["A\u2192B", "All"]:
        before = top()
        choose(driver, filter_name)
        check(f"filter {filter_name} changes what is shown", top() != before)
    choose(driver, "Is looked at by")
    check("the other direction", "is looked at by" in find(driver, "#top-title").text)
    choose(driver, "Looks at")
    find(driver, "#special").click()
    settle(driver)
    check("special tokens can be left out", "[SEP]" not in top())
    find(driver, "#special").click()
    choose(driver, "Lines")
    shoot("attention-lines")
    choose(driver, "Matrix")
    ActionChains(driver).move_to_element_with_offset(find(driver, "#matrix"), 60, 60).perform()
    settle(driver)
    check("the matrix says its values", "\u2192" in find(driver, "#tip").text, find(driver, "#tip").text.replace("\n", ", "))
    shoot("attention-matrix")
    find(driver, "#matrix").send_keys(Keys.ARROW_RIGHT)
    check("keys move in the matrix", "looks at" in driver.execute_script("return document.querySelector('#live').textContent"))
    choose(driver, "Text")


def others(driver, shoot):
    tab(driver, "Attribution")
    check("the completeness gap is stated", "completeness gap" in find(driver, "#attribution-panel").text)
    before = find(driver, "#words").text
    shoot("attribution")
    choose(driver, "Gradient \u00d7 input")
    check("gradient x input differs", find(driver, "#words").text != before)
    tab(driver, "By layer")
    holder = find(driver, "#layers-panel .scroll")
    ActionChains(driver).move_to_element_with_offset(holder, 100, 20).perform()
    settle(driver)
    check("a cell says its likeliest tokens", find(driver, "#tip").text.count("%") >= 3)
    shoot("layers")
    holder.send_keys(Keys.ARROW_DOWN)
    check("keys move in the layers", "%" in driver.execute_script("return document.querySelector('#live').textContent"))
    tab(driver, "Masked")
    ActionChains(driver).move_to_element(driver.find_elements(By.CSS_SELECTOR, "#masks-panel .token")[2]).perform()
    settle(driver)
    check("a masked token shows what was expected", find(driver, "#masked-title").text.startswith("In place of"))
    shoot("masked")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--screenshots", type=pathlib.Path)
    parser.add_argument("--long", help="a model for a text of 512 tokens")
    options = parser.parse_args()

    def cloze(*words):
        began = time.time()
        subprocess.run([options.build / "cloze", *words], check=True)
        return time.time() - began

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        def shooter(driver, prefix=""):
            def shoot(name):
                if options.screenshots:
                    options.screenshots.mkdir(parents=True, exist_ok=True)
                    driver.save_screenshot(str(options.screenshots / f"{prefix}{name}.png"))
            return shoot

        page = folder / "page.html"
        cloze("inspect", "--model", options.model, TEXT, "--pair", PAIR, "-o", page)
        for name, settings in {
            "": {}, "dark-": {"dark": True}, "narrow-": {"width": 390, "height": 844},
            "old-": {"before": "delete window.DecompressionStream"},
        }.items():
            print(f"-- {name or 'plain'}")
            driver = browser(**settings)
            show(driver, page)
            shoot = shooter(driver, name)
            if name == "narrow-":
                wide = driver.execute_script("return document.documentElement.scrollWidth")
                check("a narrow window needs no sideways scrolling", wide <= 390, wide)
                shoot("attention-text")
                for other in ["Attribution", "By layer", "Masked"]:
                    tab(driver, other)
                    wide = driver.execute_script("return document.documentElement.scrollWidth")
                    check(f"narrow: {other}", wide <= 390, wide)
                    shoot(other.lower().replace(" ", "-"))
            else:
                attention(driver, shoot)
                others(driver, shoot)
            if name == "":
                before = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
                find(driver, "#theme").click()
                after = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
                check("the button changes the theme", before != after, f"{before}, {after}")
            silent(driver, name or "plain")
            driver.quit()

        print("-- text that looks like HTML")
        cloze("inspect", "--model", options.model, NASTY, "-o", page)
        driver = browser()
        show(driver, page)
        check("nothing of the text was executed", driver.title.endswith("cloze inspect"), driver.title)
        check("no element of the text", driver.execute_script("return document.images.length") == 0)
        check("the text is shown", "onerror" in find(driver, "#attention-panel").text)
        silent(driver, "html")
        driver.quit()

        print("-- map")
        (folder / "map.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in MAP))
        cloze("embed-map", folder / "map.tsv", "--model", options.model, "-o", folder / "map.html")
        for name, settings in {"": {}, "dark-": {"dark": True}, "narrow-": {"width": 390, "height": 844}}.items():
            driver = browser(**settings)
            show(driver, folder / "map.html")
            before = pixels(driver, "#map")
            find(driver, "#search").send_keys("the")
            settle(driver)
            check("search finds", "found" in find(driver, "#found").text and pixels(driver, "#map") != before, find(driver, "#found").text)
            find(driver, "#search").clear()
            find(driver, "#search").send_keys(" " + Keys.BACKSPACE)
            find(driver, ".labels button").click()
            settle(driver)
            check("a label can be hidden", pixels(driver, "#map") != before)
            find(driver, ".labels button").click()
            find(driver, "#map").send_keys(Keys.ARROW_RIGHT)
            settle(driver)
            check("keys choose a text", driver.execute_script("return document.querySelector('#live').textContent") in [text for text, _ in MAP])
            shooter(driver, name)("map")
            silent(driver, name + "map")
            driver.quit()

        if options.long:
            print("-- 512 tokens")
            text = " ".join(f"{w} number {i} of the long text" for i, w in enumerate(["river", "bank", "money", "boat"] * 40))
            cloze("inspect", "--model", options.long, text, "--truncate", "--max-length", "512", "--show", "attention", "-o", page)
            size = page.stat().st_size
            check("512 tokens stay under 3 MB", size < 3_000_000, size)
            driver = browser()
            took = show(driver, page)
            check("the page appears in under 2 s", took < 2, f"{took:.2f} s")
            canvas = "#attention-panel .token"
            frames = driver.execute_async_script("""
              const done = arguments[0], tokens = [...document.querySelectorAll('#attention-panel .token')], times = [];
              let i = 0;
              const next = () => {
                const began = performance.now();
                tokens[(i * 37) % tokens.length].dispatchEvent(new PointerEvent('pointerover', { bubbles: true, pointerType: 'mouse' }));
                requestAnimationFrame(() => { setTimeout(() => { times.push(performance.now() - began); ++i < 60 ? next() : done(times); }); });
              };
              next();""")
            frames.sort()
            check("hover at 512 tokens is smooth", frames[54] < 50, f"median {frames[30]:.1f} ms, 9 of 10 within {frames[54]:.1f} ms")
            shooter(driver)("long-text")
            for view in ["Lines", "Matrix"]:
                began = time.time()
                choose(driver, view)
                check(f"{view} at 512 tokens", time.time() - began < 1, f"{time.time() - began:.2f} s")
                shooter(driver)("long-" + view.lower())
            began = time.time()
            driver.execute_script("const s = document.querySelector('#layer'); s.value = '-1'; s.dispatchEvent(new Event('change'))")
            settle(driver)
            check("the mean of all heads", time.time() - began < 2, f"{time.time() - began:.2f} s")
            silent(driver, "long")
            driver.quit()
    print("failed: " + "; ".join(failed) if failed else "every check held")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
