/* A panel: one run's answers to one question, with its slider. */
function answerPanel(data, changed) {
  const state = { run: 0, question: null, answer: null, lam: null };
  const head = element("div", { class: "panel-head" });
  const host = element("div"), chips = element("div", { class: "chips" }), body = element("div");
  const spoken = element("p", { class: "unseen", aria: { "aria-live": "polite" } });
  const root = element("section", { class: "panel", aria: { "aria-label": "Answer" } }, head, host, chips, body, spoken);
  const buttons = new Map();
  let slider = null;

  function chooseRun() {
    if (data.runs.length < 2) return head.replaceChildren();
    const select = element("select", { aria: { "aria-label": "Run" } },
      ...data.runs.map(({ name }, i) => element("option", { value: String(i) }, `${i ? "other run: " : "this run: "}${name}`)));
    select.value = String(state.run);
    select.addEventListener("change", () => open(state.ids, Number(select.value), state.lam));
    head.replaceChildren(select);
  }

  function open(ids, run, lam) {
    Object.assign(state, { ids, run, question: data.runs[run].find(ids), answer: null });
    chooseRun();
    slider = null;
    host.replaceChildren();
    host.className = "";
    chips.replaceChildren();
    buttons.clear();
    const { question } = state;
    if (!question) return missing("This run has no such question.");
    if (question.ids !== ids) head.append(element("p", { class: "quiet" }, `There with seed ${question.seed}.`));
    if (!question.answers.length) return missing(`No answer: ${question.error || "unknown"}`);
    if (question.steps.length > 1) {
      slider = lambdaSlider(host, question.steps.map(segment),
        question.policies.map((one) => one.lam), (i, at) => choose(question.steps[i].answer, at));
    }
    for (const one of question.policies) {
      const chip = element("button", { type: "button", class: "policy", title: one.why || "" },
        `◆ ${one.policy}: λ = ${one.lam.toFixed(3)}`);
      chip.addEventListener("click", () => {
        slider?.show(clamp(one.lam));
        choose(one, one.lam);
      });
      chips.append(chip);
      buttons.set(one, chip);
    }
    if (slider && lam === "high") slider.go(question.steps.length - 1);
    else if (slider) slider.show(typeof lam === "number" ? clamp(lam) : question.steps[0].at);
    else choose(question.answers[0], typeof lam === "number" ? lam : question.answers[0].lam ?? null);
  }

  function clamp(lam) {
    const { steps } = state.question;
    return Math.min(steps[steps.length - 1].hi, Math.max(steps[0].lo, lam));
  }

  function segment({ answer, lo, hi, at }) {
    const tone = answer.bad === null ? "" : answer.bad ? "bad" : "good";
    const where = answer.arm === "path" ? `λ from ${lo.toFixed(4)} to ${hi.toFixed(4)}` : `λ = ${at}`;
    return { lo, hi, at, tone, title: answer.bad ? `${where}: marked` : where };
  }

  function missing(why) {
    state.answer = null;
    body.replaceChildren(element("p", { class: "quiet" }, why));
    changed(state);
  }

  function choose(answer, lam) {
    Object.assign(state, { answer, lam });
    for (const [one, chip] of buttons) chip.setAttribute("aria-pressed", String(one === answer));
    changed(state);
  }

  function draw(other) {
    const { answer, question } = state;
    if (!answer) return;
    const gone = other && other !== answer ? changedWords(answer.text, other.text) : [];
    const readout = element("p", { class: "readout quiet", aria: { "aria-live": "polite" } },
      "Point at a token, or use the arrow keys.");
    const said = `${answer.bad ? "Marked: " : ""}${answer.text}`;
    if (spoken.textContent !== said) spoken.textContent = said;
    body.replaceChildren(element("div", {},
      element("p", { class: "where quiet" }, whereabouts(answer, question)),
      element("blockquote", { class: `said ${answer.bad ? "bad" : answer.bad === false ? "good" : ""}` },
        markedText(answer.text, answer.spans, gone)),
      reasons(answer), scoreList(answer, data.sections[question.section]),
      answer.tokens.length ? element("details", { class: "tokens", open: true },
        element("summary", {}, "Token by token"), legend(answer), tokenStrip(answer, readout), readout) : null,
    ));
  }
  return { root, open, draw, state };
}

function whereabouts(answer, question) {
  const notes = [];
  if (answer.arm === "path") {
    const at = question.steps.findIndex((step) => step.answer === answer);
    notes.push(`Answer ${at + 1} of ${question.steps.length}, the same for λ from ${answer.lo.toFixed(4)} to ${answer.hi.toFixed(4)}`);
    if (answer.near) notes.push("stands in for others in between");
  } else if (answer.arm === "policy") notes.push(`Policy ${answer.policy} chose λ = ${answer.lam.toFixed(4)}`, answer.why || "");
  else if (answer.arm === "lam") notes.push(`λ = ${answer.lam}`);
  else notes.push("Answer as it was given");
  notes.push(answer.bad === null ? "" : answer.bad ? "✗ marked" : "✓ not marked", answer.cut ? "unfinished" : "");
  return notes.filter(Boolean).join(" · ");
}

function reasons(answer) {
  if (!answer.spans.length) return null;
  return element("ol", { class: "reasons", aria: { "aria-label": "Marked stretches" } },
    ...answer.spans.map((span) => element("li", { value: span.number },
      element("q", {}, Array.from(answer.text).slice(span.start, span.end).join("")), ` ${span.why} `,
      element("span", { class: "quiet" }, span.by))));
}

function scoreList(answer, { scorers }) {
  const sign = { higher: "↑", lower: "↓", neither: "" };
  return element("dl", { class: "scores" }, ...scorers.map(({ name, better }, i) => {
    const value = answer.scores[i];
    const shown = value === null || value === undefined ? `– ${answer.missing[name] || ""}` : String(value);
    return element("div", {}, element("dt", { title: better === "neither" ? "" : `${better} is better` },
      `${name} ${sign[better]}`), element("dd", {}, shown));
  }));
}

function legend(answer) {
  return element("p", { class: "legend quiet" },
    `λ = ${answer.lam.toFixed(3)} at every token${answer.arm === "path" ? ", the middle of this answer's range" : ""} · `,
    element("i", { class: "kl" }), " up: KL from the reference · down: log-ratio, ",
    element("i", { class: "more" }), " the aligned model likes it more, ",
    element("i", { class: "less" }), " the reference does. Full height is 4 nats, on a square-root scale.");
}
