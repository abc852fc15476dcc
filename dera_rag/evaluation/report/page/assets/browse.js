/* The browser of questions: a list with filters, and one or two panels. */
const PAGE = 100;

function browse(data, root) {
  const get = (name) => root.querySelector(`[data-part=${name}]`);
  const list = get("list"), count = get("count"), more = get("more"), form = get("filters");
  const first = answerPanel(data, () => redraw());
  const second = answerPanel(data, () => redraw());
  const compare = get("compare"), panels = get("panels");
  let found = [], shown = 0, current = null, later = 0;
  panels.append(first.root, second.root);

  const questions = data.runs[0].questions;
  fill("section", questions.map((one) => one.section));
  fill("kind", questions.map((one) => one.kind));
  fill("split", questions.map((one) => one.split));
  const judged = questions.some((one) => !Number.isNaN(one.share));
  form.elements.outcome.closest("label").hidden = !judged && !questions.some((one) => one.error);
  if (!questions.some((one) => one.policies.length)) form.elements.outcome.querySelector("[value=policy]").remove();
  function fill(name, values) {
    const select = form.elements[name];
    const options = [...new Set(values.filter(Boolean))].sort();
    select.append(...options.map((value) => element("option", { value }, value)));
    select.closest("label").hidden = options.length < 2;
  }

  const outcomes = {
    marked: (one) => one.share > 0,
    never: (one) => one.share === 0,
    always: (one) => one.share === 1,
    turns: (one) => one.share > 0 && one.share < 1,
    policy: (one) => one.policies.some(({ bad }) => bad),
    failed: (one) => !one.answers.length,
  };
  const orders = {
    run: (a, b) => a.order - b.order,
    marked: (a, b) => (b.share || 0) - (a.share || 0) || a.order - b.order,
    answers: (a, b) => b.steps.length - a.steps.length || a.order - b.order,
  };

  function filter() {
    const { text, section, kind, split, outcome, order } = form.elements;
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = questions.filter((one) => words.every((word) => one.haystack.includes(word))
      && (!section.value || one.section === section.value) && (!kind.value || one.kind === kind.value)
      && (!split.value || one.split === split.value) && (!outcome.value || outcomes[outcome.value](one)));
    found.sort(orders[order.value]);
    list.replaceChildren();
    shown = 0;
    grow();
    count.textContent = `${found.length} of ${questions.length} questions`;
    select(found.includes(current) ? current : found[0] || null, first.state.lam);
  }

  function grow() {
    for (const one of found.slice(shown, shown + PAGE)) list.append(entry(one));
    shown = Math.min(found.length, shown + PAGE);
    more.hidden = shown === found.length;
    more.textContent = `Show ${Math.min(PAGE, found.length - shown)} more`;
  }

  function entry(one) {
    const strip = element("span", { class: "mini", aria: { "aria-hidden": "true" } });
    strip.style.backgroundImage = miniature(one.steps);
    const said = Number.isNaN(one.share) ? "" : one.share === 0 ? "not marked"
      : one.steps.length < 2 ? "marked" : `marked on ${Math.max(1, Math.round(one.share * 100))} % of λ`;
    const notes = [one.error ? "no answer" : counted(one.answers.length - one.policies.length, "answer"), said, one.kind,
      one.seed ? `seed ${one.seed}` : ""].filter(Boolean).join(" · ");
    const given = one.answers.length === 1 ? element("span", { class: "given" }, one.answers[0].text) : null;
    const button = element("button", { type: "button", tabIndex: -1 }, element("span", { class: "asked" }, one.text), given,
      one.steps.length > 1 ? strip : null, element("span", { class: "quiet" }, notes));
    button.addEventListener("click", () => select(one, first.state.lam));
    one.button = button;
    return element("li", {}, button);
  }

  function select(one, lam) {
    if (current?.button) { current.button.removeAttribute("aria-current"); current.button.tabIndex = -1; }
    current = one;
    get("detail").hidden = !one;
    if (!one) return;
    while (found.indexOf(one) >= shown) grow();
    one.button.setAttribute("aria-current", "true");
    one.button.tabIndex = 0;
    get("question").textContent = one.text;
    get("about").textContent = [one.section, one.kind, one.split && `${one.split} split`, `source ${one.source}`,
      `seed ${one.seed}`, one.key].filter(Boolean).join(" · ");
    passages(one);
    second.root.hidden = true;
    compare.hidden = data.runs.length < 2 && one.answers.length < 2;
    first.open(one.ids, 0, lam);
    if (!compare.hidden && compare.getAttribute("aria-pressed") === "true") beside();
  }

  function beside() {
    second.root.hidden = false;
    const { run, lam } = second.state;
    // At first another run at the same λ or, with one run, the other end of λ; then what was chosen.
    const fresh = second.state.ids === undefined;
    second.open(current.ids, fresh ? data.runs.length - 1 : run, fresh ? (data.runs.length > 1 ? first.state.lam : "high") : lam);
  }

  function redraw() {
    const two = !second.root.hidden && second.state.answer;
    panels.classList.toggle("two", !second.root.hidden);
    first.draw(two ? second.state.answer : null);
    if (two) second.draw(first.state.answer);
    // Browsers refuse more than a hundred changes of the address in half a minute.
    clearTimeout(later);
    later = setTimeout(address, 300);
  }

  function address() {
    if (!current) return;
    const lam = first.state.lam;
    const place = [current.section, current.key, current.seed, typeof lam === "number" ? lam.toFixed(4) : ""];
    history.replaceState(null, "", `#q=${place.map(encodeURIComponent).join("/")}`);
  }

  function passages(one) {
    const shownPassages = one.passages.map(({ name, text }) => element("article", {}, element("h4", {}, name), element("p", {}, text)));
    const dropped = one.dropped ? element("p", { class: "quiet" }, `${one.dropped} more did not fit into the prompt.`) : null;
    const right = one.references.map((text) => element("li", {}, text));
    get("passages").replaceChildren(...(shownPassages.length ? shownPassages : [element("p", { class: "quiet" }, "None.")]), ...(dropped ? [dropped] : []));
    get("references").hidden = !right.length;
    get("references").querySelector("ul").replaceChildren(...right);
  }

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", grow);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 }[event.key];
    if (step === undefined || !found.length) return;
    event.preventDefault();
    const next = Math.min(found.length - 1, Math.max(0, found.indexOf(current) + step));
    select(found[next], first.state.lam);
    current.button.focus();
  });
  compare.addEventListener("click", () => {
    const on = compare.getAttribute("aria-pressed") !== "true";
    compare.setAttribute("aria-pressed", String(on));
    if (on) beside();
    else second.root.hidden = true;
    redraw();
  });

  const linked = /^#q=(.*)$/.exec(location.hash)?.[1].split("/").map(decodeURIComponent);
  filter();
  const target = linked && data.runs[0].find(linked.slice(0, 3).join("\n"));
  if (target) select(target, linked[3] ? Number(linked[3]) : null);
}

const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

/* Where along λ the answer is marked, as a strip one line high. */
function miniature(steps) {
  if (steps.length < 2) return "none";
  const low = steps[0].lo, width = steps[steps.length - 1].hi - low || 1;
  const stops = steps.flatMap(({ answer, lo, hi }) => {
    const colour = answer.bad === null ? "var(--none)" : answer.bad ? "var(--bad)" : "var(--good-wash)";
    return [lo, hi].map((lam) => `${colour} ${(((lam - low) / width) * 100).toFixed(2)}%`);
  });
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}

async function start() {
  const root = document.getElementById("questions");
  const status = root.querySelector("[data-part=status]");
  status.textContent = "Unpacking the questions …";
  try {
    const data = await unpackData(document.getElementById("data").textContent);
    root.querySelector("[data-part=app]").hidden = false;
    browse(data, root);
    status.hidden = true;
  } catch (error) {
    status.textContent = typeof DecompressionStream === "undefined"
      ? "This browser cannot unpack the questions: it is older than 2023."
      : `The questions could not be unpacked: ${error.message}`;
  }
}
start();
