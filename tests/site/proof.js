// What the proof asks a page from inside it. Runs before the page's own scripts; every question answers with a list.
window.proof = (() => {
  const shifts = [];
  const note = entries => shifts.push(...entries.filter(entry => !entry.hadRecentInput));
  const watch = new PerformanceObserver(list => note(list.getEntries()));
  watch.observe({ type: "layout-shift", buffered: true });
  const short = node => node?.cloneNode?.(false).outerHTML?.replace(/<\/\w+>$/, "").slice(0, 120) || node?.nodeName || "?";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const until = ms => new Promise(done => setTimeout(done, ms));
  const visible = node => node.checkVisibility({ visibilityProperty: true }) && node.getClientRects().length > 0;

  const frames = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))); // painted once
  /** The sum of what moved without the reader's doing, and the three worst. */
  const shift = () => {
    note(watch.takeRecords());
    const by = s => `${short(s.node)} by ${Math.round(s.currentRect.x - s.previousRect.x)}, ${Math.round(s.currentRect.y - s.previousRect.y)} px`;
    return {
      sum: shifts.reduce((sum, entry) => sum + entry.value, 0),
      worst: [...shifts].sort((a, b) => b.value - a.value).slice(0, 3).map(entry => `${entry.value.toFixed(4)} ${entry.sources.slice(0, 2).map(by).join(", ")}`),
    };
  };

  /** How far the place that the address names has wandered since it was first scrolled to, in pixels. */
  const places = [];
  const look = () => {
    const place = location.hash && document.getElementById(location.hash.slice(1));
    if (place && scrollY) places.push(place.getBoundingClientRect().y);
    if (!rested) requestAnimationFrame(look);
  };
  let rested = false;
  requestAnimationFrame(look);
  const drift = () => places.length ? Math.max(...places) - Math.min(...places) : 0;

  /** Wait until formulas, faces and (scrolled through) everything lazy is there. */
  const settle = async () => {
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
    await frames();
    await until(250);
    rested = true;
  };
  const scroll = async () => {
    const end = document.documentElement.scrollHeight * 1.2; // and not for ever, where the page grows as it is read
    for (let y = 0; y < end; y += innerHeight * .8) { scrollTo(0, y); await until(40); }
    const views = all('script[type="application/vnd.jupyter.widget-view+json"]').length;
    for (let waited = 0; views > all(".widget-subarea").length && waited < 8000; waited += 50) await until(50);
    await until(views ? 400 : 100);
    scrollTo(0, 0);
  };

  const wide = () => {
    const root = document.documentElement;
    if (root.scrollWidth <= innerWidth) return [];
    const held = e => e && (getComputedStyle(e).overflowX !== "visible" || getComputedStyle(e).position === "fixed" || held(e.parentElement));
    const guilty = all("body *").filter(e => visible(e) && e.getBoundingClientRect().right > innerWidth + 1 && !held(e));
    return [`${root.scrollWidth} px on a screen of ${innerWidth}: ${guilty.slice(0, 4).map(short).join(" ")}`];
  };
  const tex = () => [
    ...all("mjx-merror, [data-mjx-error], merror").map(e => e.getAttribute("data-mjx-error") || e.textContent),
    ...all('mjx-container [style*="color: red"], mjx-container [mathcolor="red"]').map(e => `unknown command ${e.textContent}`),
    ...(window.MathJax?.startup ? all("article .math.notranslate").filter(e => !e.querySelector("mjx-container")).map(e => `not set: ${e.textContent.slice(0, 60)}`) : []),
  ];
  const pictures = () => all('article [role="img"], article img, article canvas, article svg:not([aria-hidden="true"])')
    .filter(e => !e.closest("button") && !(e.getAttribute("aria-label") || e.getAttribute("alt") || "").trim()).map(short);

  /** Open what is folded; answer the quizzes by turns right and wrong. */
  const rest = () => Promise.all(document.getAnimations()
    .filter(a => a.effect.getComputedTiming().endTime < 5000).map(a => a.finished.catch(() => {})));
  const use = () => {
    all("article details").forEach(part => { part.open = true; });
    all("form.quiz").forEach((form, number) => {
      const right = all("input[data-right]", form), wrong = all("input:not([data-right])", form);
      for (const input of number % 2 || !right.length ? wrong.slice(0, 1) : right) input.checked = true;
      form.requestSubmit();
    });
  };

  /** Characters of each full line of running text. */
  const lines = () => {
    const counts = [];
    for (const p of all("article section > p")) {
      const rows = Math.round(p.clientHeight / parseFloat(getComputedStyle(p).lineHeight));
      if (rows < 3 || p.querySelector("mjx-container, code") || counts.length > 60) continue;
      const range = document.createRange(), walker = document.createTreeWalker(p, NodeFilter.SHOW_TEXT);
      let bottom = null, count = 0;
      for (let text = walker.nextNode(); text; text = walker.nextNode())
        for (let i = 0; i < text.length; i++) {
          range.setStart(text, i); range.setEnd(text, i + 1);
          const now = range.getClientRects()[0]?.bottom;
          if (now === undefined) continue;
          if (bottom !== null && now - bottom > 12) { counts.push(count); count = 0; }
          if (bottom === null || now - bottom > 12) bottom = now;
          count++;
        }
    }
    return counts;
  };

  /** What a listener that comes after the page's own sees when the page goes to paper. */
  addEventListener("DOMContentLoaded", () => addEventListener("beforeprint", () => {
    window.paper = [
      ...all("article details:not(.hide)").filter(part => !part.open).map(part => `folded on paper: ${short(part)}`),
      ...(document.documentElement.dataset.theme === "light" ? [] : ["dark on paper"]),
    ];
  }));
  const printed = () => all(".quiz .why, .etude-panels svg").filter(e => !visible(e)).map(e => `not on paper: ${short(e)}`);

  /** The state of a player, of a quiz, and of what a widget shows. */
  const player = box => {
    const slider = box.querySelector("input"), now = slider.value;
    const shown = part => getComputedStyle(part).display !== "none";
    return {
      frame: +now, last: +slider.max, words: slider.getAttribute("aria-valuetext"), button: box.querySelector("button").textContent,
      wrong: all("[data-f]", box).filter(part => part.dataset.f.split(" ").includes(now) !== shown(part)).length,
    };
  };
  const quiz = form => ({
    verdict: form.dataset.verdict ?? "",
    said: form.querySelector("[role=status]").textContent.trim(),
    whys: all(".option", form).map(option => visible(option.querySelector(".why"))),
    picked: all("input", form).map(input => input.checked),
  });
  const looks = part => all(".widget-html, .widget-image", part.closest(".cell_output, .widget-subarea"))
    .filter(visible).map(e => e.innerHTML).join();

  const axe = async only => {
    await frames();
    await rest();
    return (await window.axe.run(document, { runOnly: only ?? ["wcag2a", "wcag2aa"], resultTypes: ["violations"], preload: false }))
    .violations.map(v => `${v.id}, ${v.nodes.length} times: ${v.nodes.slice(0, 2).map(n => `${n.html.slice(0, 120)} ${n.any[0]?.message || ""}`).join(" · ")}`);
  };

  return { shift, drift, settle, scroll, wide, tex, pictures, use, lines, printed, player, quiz, looks, axe, all, short, visible };
})();
