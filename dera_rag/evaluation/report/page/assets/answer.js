/* One answer as elements: its text with marks, and its tokens as a strip. Text is only ever set as
   text content, so that nothing an answer says becomes markup. */
function element(name, properties, ...inside) {
  const { class: className, data, aria, ...rest } = properties || {};
  const made = document.createElement(name);
  if (className) made.className = className;
  Object.assign(made, rest);
  Object.assign(made.dataset, data || {});
  for (const [key, value] of Object.entries(aria || {})) made.setAttribute(key, value);
  made.append(...inside.filter((one) => one !== null && one !== undefined));
  return made;
}

/* Stretches of a text (in characters, not UTF-16 units) and what is said of each. */
function markedText(text, spans, changed) {
  const characters = Array.from(text);
  const ends = new Set([0, characters.length]);
  for (const { start, end } of [...spans, ...changed]) {
    ends.add(Math.min(start, characters.length));
    ends.add(Math.min(end, characters.length));
  }
  const places = [...ends].sort((a, b) => a - b);
  const pieces = document.createDocumentFragment();
  for (let i = 0; i + 1 < places.length; i++) {
    const [from, to] = [places[i], places[i + 1]];
    const covers = ({ start, end }) => start <= from && to <= end;
    const over = spans.filter(covers);
    let piece = document.createTextNode(characters.slice(from, to).join(""));
    if (changed.some(covers)) piece = element("span", { class: "changed" }, piece);
    if (over.length) {
      piece = element("mark", { title: over.map((span) => span.why).join("\n") }, piece);
      for (const span of over.filter(({ end }) => end === to)) {
        piece.append(element("sup", {}, String(span.number)));
      }
    }
    pieces.append(piece);
  }
  if (!characters.length) pieces.append(element("em", { class: "quiet" }, "(nothing)"));
  return pieces;
}

/* Words of `mine` that `other` lacks, as stretches: a longest common subsequence over words. */
function changedWords(mine, other) {
  const words = (text) => {
    const found = [];
    let at = 0;
    for (const part of text.split(/(\s+)/)) {
      const size = Array.from(part).length;
      if (part.trim()) found.push({ start: at, end: at + size, word: part.replace(/[.,;:!?]+$/, "") });
      at += size;
    }
    return found;
  };
  const a = words(mine), b = words(other);
  if (a.length * b.length > 1e6) return [];
  const best = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      best[i][j] = a[i].word === b[j].word ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
    }
  }
  const gone = [];
  for (let i = 0, j = 0; i < a.length; ) {
    if (j < b.length && a[i].word === b[j].word) { i++; j++; }
    else if (j < b.length && best[i][j + 1] > best[i + 1][j]) j++;
    else gone.push(a[i++]);
  }
  return gone;
}

/* Tokens in reading order: KL from the reference above the line of text, log-ratio below it. */
function tokenStrip(answer, readout) {
  const characters = Array.from(answer.text);
  let at = 0;
  const cells = answer.tokens.map(({ length, kl, ratio }, i) => {
    const text = characters.slice(at, at + length).join("");
    at += length;
    const cell = element("span", { class: "token", data: { i } });
    const bar = (className, share) => {
      const made = element("i", { class: className });
      made.style.height = `${(Math.min(1, Math.abs(share)) * 100).toFixed(1)}%`;
      return made;
    };
    cell.append(
      element("span", { class: "up" }, kl === null ? null : bar("kl", Math.sqrt(kl) / 2)),
      element("span", { class: "word" }, text.trim() ? text : length ? "␣" : "◦"),
      element("span", { class: "down" },
        ratio === null ? null : bar(ratio < 0 ? "less" : "more", Math.sqrt(Math.abs(ratio)) / 2)),
    );
    cell.spoken = `${i + 1} of ${answer.tokens.length}: “${text.trim() || "(shows nothing)"}”, `
      + `KL ${nats(kl)}, log-ratio ${nats(ratio, true)}`;
    return cell;
  });
  const strip = element("div", { class: "strip", tabIndex: 0, aria: { role: "group",
    "aria-label": "Tokens; arrow keys read them one by one" } }, ...cells);
  let current = -1;
  const point = (index) => {
    if (current >= 0) cells[current].classList.remove("on");
    current = Math.min(cells.length - 1, Math.max(0, index));
    cells[current].classList.add("on");
    readout.textContent = cells[current].spoken;
  };
  strip.addEventListener("pointerover", (event) => {
    const cell = event.target.closest(".token");
    if (cell) point(Number(cell.dataset.i));
  });
  strip.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (step === undefined || !cells.length) return;
    event.preventDefault();
    point(current + step);
  });
  return strip;
}

function nats(value, signed) {
  if (value === null) return "not computed";
  const shown = String(Number(Math.abs(value).toPrecision(2)));
  return `${value < 0 ? "−" : signed && value > 0 ? "+" : ""}${shown} nats`;
}
