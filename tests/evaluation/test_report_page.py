"""The report in a real browser: every segment reachable, nothing loaded, nothing smuggled in."""

import itertools
import re

import pytest
from chromium import Watched, chromium
from report_pages import HOSTILE, LOWS, TEXTS, given_run, grid_run, page_of, path_run

SHOWN = HOSTILE.replace("\u0000", "")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Reports of a path, a grid and given answers, and of a path beside another run."""
    base = tmp_path_factory.mktemp("reports")
    kinds = {"path": path_run, "grid": grid_run, "given": given_run}
    made = {
        name: page_of(_folder(base / name), make(base / name / "run"))
        for name, make in kinds.items()
    }
    texts = tuple(text.replace("pub", "inn") for text in TEXTS)
    other = path_run(base / "inn" / "run", texts)
    made["two"] = page_of(_folder(base / "two"), base / "path" / "run", other)
    return made


def _folder(path):
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def pages(browser):
    """One page for each report and setting; they end with the module."""
    made = {}
    yield made
    for watched in made.values():
        watched.close()


@pytest.fixture
def opened(browser, files, pages):
    """`opened("path", …)`: a report, loaded anew, with its browser of questions ready."""
    used = []

    def open_it(name, fragment="", **context):
        key = (name, repr(context))
        if key not in pages:
            pages[key] = Watched(browser, files[name], **{"viewport": WIDE, **context})
        pages[key].load(fragment)
        used.append(pages[key])
        pages[key].page.locator("[data-part=app]").wait_for()
        return pages[key].page

    open_it.used = used
    yield open_it
    for watched in used:
        watched.check()


def said(page, panel=0):
    """An answer's text without the numbers of its marks."""
    code = """node => {
      const copy = node.cloneNode(true);
      copy.querySelectorAll("sup").forEach((one) => one.remove());
      return copy.textContent;
    }"""
    return page.locator(".panel").nth(panel).locator(".said").evaluate(code)


def asked(page):
    return page.locator(".list .asked").all_text_contents()


def slide(page, lam, panel=0):
    """Put the slider at a λ, as dragging it would."""
    code = "(node, lam) => { node.value = lam; node.dispatchEvent(new Event('input')); }"
    page.get_by_role("slider", name="λ").nth(panel).evaluate(code, lam)


def test_the_slider_steps_through_every_segment_and_back(opened):
    page = opened("path")
    slider = page.get_by_role("slider", name="λ")
    slider.focus()
    seen = [said(page)]
    for _ in TEXTS[1:]:
        slider.press("ArrowRight")
        seen.append(said(page))
    assert seen == list(TEXTS)
    assert page.get_by_role("button", name="Next answer").is_disabled()
    assert slider.get_attribute("aria-valuetext") == "λ 1.750, answer 4 of 4"
    for _ in TEXTS[1:]:
        page.get_by_role("button", name="Previous answer").click()
    assert said(page) == TEXTS[0]
    assert page.get_by_role("button", name="Previous answer").is_disabled()


def test_every_lambda_shows_the_segment_that_holds_it(opened):
    page = opened("path")
    ends = [*LOWS, 2.0]
    for i, text in enumerate(TEXTS[:3]):
        for lam in (ends[i], (ends[i] + ends[i + 1]) / 2):
            slide(page, lam)
            assert said(page) == text, lam
    slide(page, 2.0)
    assert said(page).startswith("The record says")


def test_marks_count_characters_and_give_their_reason(opened):
    """The answers begin with a character of two UTF-16 units."""
    page = opened("path")
    mark = page.locator("mark")
    assert mark.text_content() == "river1"
    assert SHOWN[:40] in mark.get_attribute("title")
    reason = page.locator(".reasons li")
    assert reason.locator("q").text_content() == "river"
    assert "onerror=alert(1)" in reason.text_content()
    slide(page, 1.0)
    assert page.locator("mark").count() == 0


def test_texts_stay_texts(opened):
    """Question, passage, reference, reason and answer hold markup that would run."""
    page = opened("path")
    assert asked(page)[0].startswith("</script><img src=x onerror=alert(1)>")
    slide(page, 2.0)
    for where in (".said", ".passages p", "[data-part=references] li", "[data-part=question]"):
        text = page.locator(where).first.text_content()
        assert "</script><img src=x onerror=alert(1)> <!-- \"quoted\" 'too' & \u2028" in text, where
    assert page.locator("img").count() == 0
    assert page.locator(".passages h4").text_content() == "pub <b>"


def test_nothing_can_be_loaded_and_no_other_script_runs(opened):
    page = opened("path")
    blocked = page.evaluate(
        """async () => {
          const seen = [];
          addEventListener("securitypolicyviolation", (e) => seen.push(e.effectiveDirective));
          await fetch("https://example.invalid/").catch(() => {});
          const script = document.createElement("script");
          script.textContent = "window.smuggled = true";
          document.body.append(script);
          const style = document.createElement("style");
          style.textContent = "body { display: none }";
          document.body.append(style);
          await new Promise((done) => setTimeout(done, 50));
          const shown = getComputedStyle(document.body).display;
          return [window.smuggled === undefined, shown, seen.sort()];
        }"""
    )
    (watched,) = opened.used
    assert all("Content Security Policy" in error for error in watched.errors)
    watched.errors.clear()
    assert blocked == [True, "block", ["connect-src", "script-src-elem", "style-src-elem"]]


def test_filters_narrow_the_list(opened):
    page = opened("path")
    count = page.locator("[data-part=count]")
    assert count.text_content() == "7 of 7 questions"
    choices = page.get_by_role("combobox", name="Outcome", exact=True)
    for value, expected in (
        ("marked", 6),
        ("turns", 6),
        ("always", 0),
        ("never", 0),
        ("failed", 1),
    ):
        choices.select_option(value)
        assert count.text_content() == f"{expected} of 7 questions", value
        assert len(asked(page)) == expected
    assert asked(page) == ["What of place 6?"]
    assert page.locator(".panel .quiet").first.text_content() == "No answer: ValueError: too long"
    choices.select_option("")
    page.get_by_role("combobox", name="Kind", exact=True).select_option("odd")
    assert asked(page) == ["Where is the café?", "What of place 3?", "What of place 5?"]
    page.get_by_role("searchbox", name="Search questions and answers").fill("CAFÉ where")
    assert asked(page) == ["Where is the café?"]
    page.get_by_role("combobox", name="Split", exact=True).select_option("test")
    assert asked(page) == []
    assert not page.locator("[data-part=detail]").is_visible()


def test_keys_move_through_the_list_and_lambda_stays(opened):
    page = opened("path")
    slide(page, 1.0)
    first = page.locator(".list button").first
    first.focus()
    first.press("ArrowDown")
    assert page.locator("[data-part=question]").text_content() == "Where is the café?"
    assert page.evaluate("document.activeElement.textContent").startswith("Where is the café?")
    assert "λ = 1.000" in page.locator(".panel output").first.text_content()
    assert said(page) == TEXTS[2]
    page.keyboard.press("End")
    assert page.locator("[data-part=question]").text_content() == "What of place 6?"
    page.keyboard.press("Home")
    assert page.locator(".list button[tabindex='0']").count() == 1


def test_side_by_side_with_another_lambda(opened):
    page = opened("path")
    page.get_by_role("button", name="Compare side by side").click()
    assert page.get_by_role("slider", name="λ").count() == 2
    assert said(page, 1).startswith("The record says")
    slide(page, 1.0, panel=1)
    assert (said(page, 0), said(page, 1)) == (TEXTS[0], TEXTS[2])
    changed = [
        page.locator(".panel").nth(i).locator(".changed").all_text_contents() for i in (0, 1)
    ]
    assert changed == [["by", "river", "and", "cheap."], ["in", "city", "centre."]]
    page.get_by_role("button", name="Compare side by side").click()
    assert page.get_by_role("slider", name="λ").count() == 1
    assert page.locator(".changed:visible").count() == 0


def test_side_by_side_with_another_run(opened):
    page = opened("two")
    slide(page, 1.0)
    page.get_by_role("button", name="Compare side by side").click()
    assert said(page, 0) == TEXTS[2]
    assert said(page, 1) == TEXTS[2].replace("pub", "inn")
    page.get_by_role("combobox", name="Run", exact=True).nth(1).select_option(label="this run: run")
    assert said(page, 1) == TEXTS[2]


def test_a_policy_is_one_of_the_answers(opened):
    page = opened("path")
    chip = page.get_by_role("button", name="evidence")
    chip.click()
    assert chip.get_attribute("aria-pressed") == "true"
    assert page.locator(".where").text_content().startswith("Policy evidence chose λ = 1.0000")
    page.get_by_role("slider", name="λ").press("ArrowRight")
    assert chip.get_attribute("aria-pressed") == "false"


def test_panels_choose_apart(opened):
    page = opened("path")
    page.get_by_role("button", name="Compare side by side").click()
    chips = page.get_by_role("button", name="evidence")
    chips.nth(0).click()
    assert [chips.nth(i).get_attribute("aria-pressed") for i in (0, 1)] == ["true", "false"]
    assert said(page, 0) == TEXTS[2]
    assert said(page, 1).startswith("The record says")


def test_tokens_are_read_one_by_one(opened):
    page = opened("path")
    strip = page.locator(".strip")
    words = strip.locator(".word").all_text_contents()
    assert [word.strip() for word in words] == [*TEXTS[0].split(), "◦"]
    strip.focus()
    for _ in range(3):
        strip.press("ArrowRight")
    read = page.locator(".readout").text_content()
    assert read.startswith("3 of 10: “pub”, KL 0.5")
    assert read.endswith("log-ratio −1 nats")
    heights = [
        strip.locator(f".token >> nth={i} >> .kl").evaluate("node => node.style.height")
        for i in range(3)
    ]
    assert heights == ["0%", "25%", "37.5%"]  # √KL in eighths of a √nat, of two √nats


def test_a_grid_has_its_own_lambdas_and_nothing_between(opened):
    page = opened("grid")
    slider = page.get_by_role("slider", name="λ")
    slider.focus()
    seen = []
    for _ in range(4):
        seen.append((page.locator(".panel output").text_content(), said(page)))
        slider.press("ArrowRight")
    assert [lam for lam, _ in seen] == ["λ = 0.000", "λ = 0.500", "λ = 1.000", "λ = 2.000"]
    assert [text for _, text in seen][:3] == list(TEXTS[:3])
    assert "marked on 25 %" in page.locator(".list button").first.text_content()


def test_given_answers_have_no_slider_and_peoples_marks(opened):
    page = opened("given")
    assert page.get_by_role("slider").count() == 0
    assert page.locator("mark").text_content() == "red1"
    assert "people" in page.locator(".reasons").text_content()
    page.get_by_role("combobox", name="Outcome", exact=True).select_option("never")
    assert asked(page) == ["What of q1?"]


def test_an_address_leads_back_to_an_answer(opened):
    page = opened("path")
    page.locator(".list button").nth(1).click()
    slide(page, 1.25)
    page.wait_for_url("**/1.2500")
    fragment = page.evaluate("location.hash")
    again = opened("path", fragment)
    assert again.locator("[data-part=question]").text_content() == "Where is the café?"
    assert again.locator(".panel output").first.text_content() == "λ = 1.250"


def test_tables_are_there_without_scripts(browser, files):
    watched = Watched(browser, files["path"], java_script_enabled=False)
    page = watched.load()
    assert page.locator("table").first.is_visible()
    assert page.locator("figure svg").first.is_visible()
    assert not page.locator("[data-part=app]").is_visible()
    assert page.get_by_text("The browser of questions needs scripts.").is_visible()
    assert page.get_by_text("Unpacking").count() == 0
    watched.close()


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", ["path", "given", "two"])
def test_the_page_never_scrolls_sideways(opened, name, viewport):
    page = opened(name, viewport=viewport)
    if name == "two":
        page.get_by_role("button", name="Compare side by side").click()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= viewport["width"]


def test_light_and_dark_follow_the_reader(opened):
    paper = {}
    for scheme in ("light", "dark"):
        page = opened("path", color_scheme=scheme)
        colours = page.evaluate(
            "[...['backgroundColor', 'color']].map((name) => getComputedStyle(document.body)[name])"
        )
        paper[scheme] = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours]
    assert paper["light"][0] > 600 > 200 > paper["light"][1]
    assert paper["dark"][0] < 150 < 600 < paper["dark"][1]


def test_everything_to_press_has_a_name(opened):
    page = opened("two")
    page.get_by_role("button", name="Compare side by side").click()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(
            "button, select, input, [role=region], [role=group], svg")]
          .filter((node) => !(node.getAttribute("aria-label") || node.textContent.trim()
            || node.labels?.length)).map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    unreachable = page.evaluate(
        """() => [...document.querySelectorAll("div, figure")].filter((node) =>
            ["auto", "scroll"].includes(getComputedStyle(node).overflowX))
          .filter((node) => node.tabIndex < 0).length"""
    )
    assert unreachable == 0
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map((node) => Number(node.tagName[1]))"
    )
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), levels
