"""What a page says, for assertions in words."""

from streamlit.testing.v1 import AppTest

KINDS = ("title", "subheader", "markdown", "caption", "error", "warning", "info", "success", "toast")


def said(at: AppTest) -> str:
    """Return all text of the page, without the marks of Markdown, after making sure that nothing crashed."""
    assert not at.exception, [element.message for element in at.exception]
    texts = [str(element.value) for kind in KINDS for element in at.get(kind)]
    texts += [f"{metric.label}: {metric.value}" for metric in at.metric]
    texts += [str(expander.label) for expander in at.expander]
    return "\n".join(texts).replace("\\", "").replace("*", "").replace("\u00a0", " ")


def labels(at: AppTest) -> list[str]:
    """Return the labels of the buttons of the page."""
    return [button.label for button in at.button]


def press(at: AppTest, label: str) -> AppTest:
    """Press the button with this label and return the page after it."""
    return next(button for button in at.button if button.label == label).click().run()
