"""A headless Chromium that asks nobody but this machine, driven from asynchronous tests."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import (
    ElementNotInteractableException,
    NoSuchElementException,
    NoSuchWindowException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.patience import PATIENCE_SECONDS

PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 "
    "Mobile Safari/537.36"
)
_LOOK_SECONDS = 0.02
_ENDED = ("detached", "no such window", "target window already closed", "no such frame", "aborted by navigation")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
    "--disable-extensions", "--disable-client-side-phishing-detection", "--metrics-recording-only", "--no-pings",
    "--disable-software-rasterizer", "--renderer-process-limit=1", "--disable-site-isolation-trials",
    "--disable-features=AutofillServerCommunication,OptimizationHints,AccountConsistency",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--lang=ko", "--window-size=800,600",
)  # fmt: skip


def missing() -> str | None:
    """Why no browser can be started here; None when one can."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no {' and no '.join(lacking)}: apt-get install chromium chromium-driver" if lacking else None


class Browser:
    """One Chromium; what blocks runs in a thread, so that servers of the same test go on answering."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.first = driver.current_window_handle

    async def do(self, work: Callable[[webdriver.Chrome], Any]) -> Any:
        return await asyncio.to_thread(work, self.driver)

    async def until(self, look: Callable[[webdriver.Chrome], Any]) -> Any:
        """What `look` finds, as soon as it finds anything."""
        waiting = WebDriverWait(self.driver, PATIENCE_SECONDS, poll_frequency=_LOOK_SECONDS)
        return await asyncio.to_thread(waiting.until, look)

    async def visit(self, url: str, *, phone: bool = False) -> None:
        agent = {"userAgent": PHONE if phone else ""}

        def go(driver: webdriver.Chrome) -> None:
            driver.execute_cdp_cmd("Network.setUserAgentOverride", agent)
            driver.get(url)

        await self.do(go)

    async def run(self, script: str, *arguments: Any) -> Any:
        return await self.do(lambda driver: driver.execute_script(script, *arguments))

    async def click(self, css: str) -> None:
        await self.until(lambda driver: _clicked(driver, css))

    async def type(self, css: str, text: str) -> None:
        def work(driver: webdriver.Chrome) -> None:
            field = driver.find_element(By.CSS_SELECTOR, css)
            field.clear()
            field.send_keys(text)

        await self.do(work)

    async def enter_frame(self) -> None:
        """Into the layer that the SDK laid over the page."""
        frame = await self.until(lambda driver: driver.find_elements(By.CSS_SELECTOR, "iframe"))
        await self.do(lambda driver: driver.switch_to.frame(frame[0]))

    async def leave_frame(self) -> None:
        await self.do(lambda driver: driver.switch_to.default_content())

    async def enter_popup(self) -> None:
        handle = await self.until(lambda driver: next((h for h in driver.window_handles if h != self.first), None))
        await self.do(lambda driver: driver.switch_to.window(handle))

    async def leave_popup(self) -> None:
        await self.do(lambda driver: driver.switch_to.window(self.first))
        await self.until(lambda driver: driver.window_handles == [self.first])

    async def tidy(self) -> None:
        """As it was when it started: one empty page."""

        def work(driver: webdriver.Chrome) -> None:
            for handle in driver.window_handles:
                if handle != self.first:
                    with suppress(NoSuchWindowException):
                        driver.switch_to.window(handle)
                        driver.close()
            driver.switch_to.window(self.first)
            driver.get("about:blank")

        await self.do(work)


def _clicked(driver: webdriver.Chrome, css: str) -> bool:
    try:
        driver.find_element(By.CSS_SELECTOR, css).click()
    except (NoSuchElementException, ElementNotInteractableException, StaleElementReferenceException):
        return False
    except WebDriverException as error:
        # What was clicked ended its own frame or window before the driver had answered.
        if not any(words in str(error) for words in _ENDED):
            raise
    return True


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start one, with a profile of its own that is gone afterwards."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in _FLAGS:
        options.add_argument(flag)
    options.add_experimental_option(
        "prefs", {"credentials_enable_service": False, "autofill.credit_card_enabled": False}
    )
    driver = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
