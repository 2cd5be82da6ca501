"""The dashboard as a person uses it: pages, buttons, files, and a look at what is on the screen."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Download, Locator, Page, expect

SCREENSHOTS = Path(__file__).parent / "screenshots"


class Dashboard:
    """One browser tab on the dashboard."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address

    def open(self, path: str = "/") -> Dashboard:
        """Open a path of the dashboard and wait until its frame stands."""
        self.page.goto(self.address + path)
        expect(self.page.get_by_test_id("stSidebar").get_by_text("Champion")).to_be_visible()
        return self

    def go(self, name: str) -> Dashboard:
        """Choose a page in the sidebar."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
        expect(self.page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
        return self.settle()

    def button(self, name: str) -> Locator:
        """Return a button by its label."""
        return self.page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True)

    def press(self, name: str) -> Dashboard:
        """Press a button and wait until the page has answered."""
        self.button(name).first.click()
        return self.settle()

    def upload(self, file: Path) -> Dashboard:
        """Put a file into the uploader."""
        self.page.locator("input[type=file]").set_input_files(file)
        return self.settle()

    def download(self, name: str) -> Download:
        """Press a download button and return the file that arrives."""
        with self.page.expect_download() as arriving:
            self.button(name).click()
        return arriving.value

    def sees(self, text: str) -> Dashboard:
        """Wait until a text stands on the page."""
        # A table on a canvas has its cells in the page a second time, for screen readers, where they count as hidden.
        expect(self.page.get_by_test_id("stMain").get_by_text(text).filter(visible=True).first).to_be_visible()
        return self

    def strip_says(self, text: str) -> Dashboard:
        """Wait until the status strip says something."""
        expect(self.page.get_by_test_id("stSidebar").get_by_text(text).first).to_be_visible()
        return self

    def settle(self) -> Dashboard:
        """Wait until the page has stopped working."""
        expect(self.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        return self

    def picture(self, name: str) -> Dashboard:
        """Keep a picture of the whole page, and make sure that no page shows a crash."""
        self.settle()
        expect(self.page.get_by_test_id("stException")).to_have_count(0)
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)
        SCREENSHOTS.mkdir(exist_ok=True)
        main = self.page.get_by_test_id("stMain")
        height = int(main.evaluate("element => element.scrollHeight"))
        self.page.set_viewport_size({"width": 1280, "height": max(900, min(height, 4000))})
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")
        self.page.set_viewport_size({"width": 1280, "height": 900})
        return self

    def fits(self) -> Dashboard:
        """Make sure that nothing sticks out sideways."""
        main = self.page.get_by_test_id("stMain")
        assert main.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
        return self
