/* A slider over the answers of a λ-path.

   segments: ascending, each {lo, hi, at, tone, title}; `at` is where a step to it lands, `tone` good,
   bad or "". marks: values of λ shown as diamonds. moved(index, λ) is called whenever it moves. */
function lambdaSlider(host, segments, marks, moved) {
  const make = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const low = segments[0].lo, high = segments[segments.length - 1].hi;
  const width = Math.max(high - low, 1e-12);
  const place = (lam) => `${Math.min(1, Math.max(0, (lam - low) / width)) * 100}%`;
  const rail = make("div", "rail"), ribbon = make("div", "ribbon"), range = make("input");
  ribbon.setAttribute("aria-hidden", "true");
  const blocks = segments.map(({ lo, hi, tone }) => {
    const block = make("i", tone);
    block.style.left = place(lo);
    block.style.width = `${((hi - lo) / width) * 100}%`;
    ribbon.append(block);
    return block;
  });
  for (const lam of marks) {
    const mark = make("b");
    mark.style.left = place(lam);
    ribbon.append(mark);
  }
  Object.assign(range, { type: "range", min: low, max: high, step: "any" });
  range.setAttribute("aria-label", "λ");
  rail.append(ribbon, range);
  const ticks = make("div", "ticks");
  ticks.setAttribute("aria-hidden", "true");
  for (const [lam, name] of lambdaTicks(low, high)) {
    const tick = make("span", "", String(Number(lam.toFixed(3))));
    if (name) tick.append(make("i", "", ` ${name}`));
    tick.style.left = place(lam);
    ticks.append(tick);
  }
  const steps = make("div", "steps");
  const previous = make("button", "", "←"), next = make("button", "", "→"), value = make("output");
  previous.type = next.type = "button";
  previous.setAttribute("aria-label", "Previous answer");
  next.setAttribute("aria-label", "Next answer");
  steps.append(previous, next, value);
  host.classList.add("slider");
  host.replaceChildren(rail, ticks, steps);

  let current = -1;
  function show(lam) {
    range.value = String(lam);
    let at = segments.findIndex(({ lo, hi }) => lo <= lam && lam < hi);
    if (at < 0) at = lam < low ? 0 : segments.length - 1;
    current = at;
    blocks.forEach((block, i) => block.classList.toggle("on", i === at));
    previous.disabled = at === 0;
    next.disabled = at === segments.length - 1;
    value.textContent = `λ = ${lam.toFixed(3)}`;
    range.setAttribute("aria-valuetext", `λ ${lam.toFixed(3)}, answer ${at + 1} of ${segments.length}`);
    range.title = segments[at].title;
    moved(at, lam);
  }
  const go = (index) => show(segments[Math.min(segments.length - 1, Math.max(0, index))].at);
  range.addEventListener("input", () => show(Number(range.value)));
  range.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    // An arrow key would move by next to nothing: the answers are what there is to step through.
    event.preventDefault();
    go(current + step);
  });
  previous.addEventListener("click", () => go(current - 1));
  next.addEventListener("click", () => go(current + 1));
  return { go, show, steps, get index() { return current; } };
}

/* Round values of λ with the two that have a meaning named. */
function lambdaTicks(low, high) {
  const span = high - low;
  const step = [0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10].find((size) => span / size <= 6) || span;
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9; i++) {
    const lam = Number((i * step).toFixed(6));
    ticks.push([lam, lam === 0 ? "reference" : lam === 1 ? "aligned" : ""]);
  }
  if (!ticks.length || ticks[0][0] > low + 1e-9) ticks.unshift([low, ""]);
  if (ticks[ticks.length - 1][0] < high - 1e-9) ticks.push([high, ""]);
  return ticks;
}
