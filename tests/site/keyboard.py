"""Work what moves and what answers on a page by keyboard alone, and say what does not obey."""

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as TooLate

STATE, VERDICT, LOOKS = "proof.player", "proof.quiz", "proof.looks"


def slider(page: Page, box: Locator) -> list[str]:
    """Home, arrows and End show exactly the parts of their frame, and say it in words."""
    faults, said = [], set()
    box.locator("input").focus()
    last = box.evaluate(STATE)["last"]
    steps = [("Home", 0), ("ArrowRight", min(1, last)), ("ArrowRight", min(2, last))]
    for key, frame in [*steps, ("End", last), ("ArrowLeft", max(0, last - 1))]:
        page.keyboard.press(key)
        now = box.evaluate(STATE)
        said.add((now["frame"], now["words"]))
        if now["frame"] != frame:
            faults.append(f"{key} led to frame {now['frame']}, expected {frame}")
        if now["wrong"]:
            faults.append(f"{now['wrong']} parts are shown or hidden wrongly in frame {frame}")
    if not all(words for _, words in said) or len({words for _, words in said}) == 1:
        faults.append(f"the slider says nothing new in words: {sorted(said)}")
    return faults


def comes(page: Page, box: Locator, wish: str, patience: int = 2000) -> bool:
    """Whether a player comes to be as wished."""
    try:
        asked = f"box => ({wish})(proof.player(box))"
        page.wait_for_function(asked, arg=box.element_handle(), timeout=patience)
    except TooLate:
        return False
    return True


def button(page: Page, box: Locator) -> list[str]:
    """Play runs and pauses by the space bar; with reduced motion it steps once instead."""
    faults = []
    box.locator("input").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Shift+Tab")
    if box.evaluate("box => document.activeElement !== box.querySelector('button')"):
        return ["the button is not the stop before the slider"]
    page.keyboard.press("Space")
    if box.evaluate(STATE)["button"] != "Pause":
        faults.append("Play did not begin by the space bar")
    if not comes(page, box, "now => now.frame > 0"):
        faults.append("Play does not move")
    page.keyboard.press("Space")
    paused = box.evaluate(STATE)
    page.emulate_media(reduced_motion="reduce")
    if not comes(page, box, "now => now.button === 'Next'"):
        faults.append("reduced motion: the button does not say Next")
    page.keyboard.press("Space")
    page.wait_for_timeout(500)
    now = box.evaluate(STATE)
    if now["frame"] != (paused["frame"] + 1) % (now["last"] + 1):
        faults.append(f"reduced motion: from frame {paused['frame']} to {now['frame']}")
    page.emulate_media(reduced_motion="no-preference")
    return faults


def players(page: Page) -> list[str]:
    """Every interactive figure of ours; the button, which is one script's, once a page."""
    faults = []
    for number, box in enumerate(page.locator(".etude-player").all(), 1):
        for fault in slider(page, box) + (button(page, box) if number == 1 else []):
            faults.append(f"player {number}: {fault}")
    return faults


def pick(page: Page, form: Locator, wanted: set[int]) -> None:
    """Choose the options of these numbers by space bar and arrows, and press Enter."""
    inputs = form.locator("input").all()
    if inputs[0].get_attribute("type") == "checkbox":
        for number, box in enumerate(inputs):
            box.focus()
            if box.is_checked() != (number in wanted):
                page.keyboard.press("Space")
    else:
        chosen = [number for number, box in enumerate(inputs) if box.is_checked()]
        place = chosen[0] if chosen else 0
        inputs[place].focus()
        if not chosen:
            page.keyboard.press("Space")
        (target,) = wanted
        for _ in range(abs(target - place)):
            page.keyboard.press("ArrowDown" if target > place else "ArrowUp")
    page.keyboard.press("Enter")


def quiz(page: Page, form: Locator) -> list[str]:
    """Nothing chosen asks for a choice; wrong tells why it is wrong; right tells everything."""
    faults = []
    inputs = form.locator("input").all()
    right = {n for n, box in enumerate(inputs) if box.get_attribute("data-right") is not None}
    wrong = set(range(len(inputs))) - right
    if any(form.evaluate(VERDICT)["whys"]):
        faults.append("an explanation is shown before there is an answer")
    form.locator("button").focus()
    page.keyboard.press("Space")
    if not form.evaluate(VERDICT)["said"]:
        faults.append("says nothing when nothing is chosen")
    for number in sorted(wrong)[:1]:
        pick(page, form, {number})
        now = form.evaluate(VERDICT)
        if now["verdict"] != "wrong" or not now["said"]:
            faults.append(f"a wrong answer is called {now['verdict'] or 'nothing'}")
        if [n for n, shown in enumerate(now["whys"]) if shown] != [number]:
            faults.append("a wrong answer does not show its own explanation alone")
    pick(page, form, right)
    now = form.evaluate(VERDICT)
    if now["verdict"] != "right" or not now["said"]:
        faults.append(f"the right answer is called {now['verdict'] or 'nothing'}")
    if not all(now["whys"]):
        faults.append("the right answer does not show all explanations")
    return faults


def quizzes(page: Page) -> list[str]:
    """Every quiz, and whether the page remembers its answers."""
    faults, forms = [], page.locator("form.quiz").all()
    for number, form in enumerate(forms, 1):
        faults += [f"quiz {number}: {fault}" for fault in quiz(page, form)]
    if forms and not faults:
        before = [form.evaluate(VERDICT) for form in forms]
        page.reload()
        page.evaluate("proof.settle()")
        after = [form.evaluate(VERDICT) for form in page.locator("form.quiz").all()]
        faults += [f"quiz {n}: forgot its answer" for n in lost(before, after)]
    return faults


def lost(before: list[dict], after: list[dict]) -> list[int]:
    """The numbers of the quizzes that are not as they were."""
    return [n for n, (then, now) in enumerate(zip(before, after, strict=True), 1) if then != now]


def widgets(page: Page) -> list[str]:
    """Menus and sliders of ipywidgets change what is shown although no kernel runs."""
    faults = []
    if not page.locator('script[type="application/vnd.jupyter.widget-view+json"]').count():
        return faults
    page.evaluate("proof.scroll()")
    for part in page.locator(".widget-dropdown select, .widget-slider .noUi-handle").all():
        before = part.evaluate(LOOKS)
        part.focus()
        if page.evaluate("document.activeElement.tagName === 'SELECT'"):
            page.keyboard.press("ArrowDown")
        else:
            page.keyboard.press("ArrowRight")
        try:
            changed = "([part, before]) => proof.looks(part) !== before"
            page.wait_for_function(changed, arg=[part.element_handle(), before], timeout=2000)
        except TooLate:
            faults.append(f"{part.evaluate('proof.short')} changes nothing")
    loaded = page.locator(".widget-subarea").count()
    waiting = page.locator('script[type="application/vnd.jupyter.widget-view+json"]').count()
    if loaded < waiting:
        faults.append(f"{waiting - loaded} widgets did not come")
    return faults
