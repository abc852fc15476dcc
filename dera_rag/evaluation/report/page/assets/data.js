/* The page's data: unpacked in the browser, with names in place of numbers. */
async function unpackData(base64) {
  const packed = Uint8Array.from(atob(base64.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return readData(JSON.parse(await new Response(stream).text()));
}

function readData(raw) {
  const level = new Map(Array.from(raw.alphabet, (letter, i) => [letter, i]));
  const { kl: klScale, ratio: ratioScale } = raw.scales;
  const zero = raw.alphabet.length / 2;
  let at = 0;
  const tokens = (count) => Array.from({ length: count || 0 }, () => {
    const [length, kl, ratio] = [raw.lengths[at], raw.kl[at], raw.ratio[at]].map((c) => level.get(c));
    at += 1;
    const step = ratio === undefined ? 0 : (ratio - zero) / ratioScale;
    return {
      length,
      kl: kl === undefined ? null : (kl / klScale) ** 2,
      ratio: ratio === undefined ? null : Math.sign(step) * step ** 2,
    };
  });
  const text = (i) => raw.texts[i];
  const answer = (one) => ({
    arm: one.arm, policy: one.pol, lam: one.lam, lo: one.lo, hi: one.hi, near: Boolean(one.near),
    cut: Boolean(one.cut), why: one.why, bad: one.bad, scores: one.sc, text: text(one.t),
    spans: (one.sp || []).map(([start, end, why, by], i) => ({ start, end, why: text(why), by, number: i + 1 })),
    missing: Object.fromEntries(Object.entries(one.un || {}).map(([name, why]) => [name, text(why)])),
    tokens: tokens(one.n),
  });
  const question = (row, order) => {
    const answers = row.a.map(answer);
    answers.forEach((one, i) => {
      if (one.arm !== "path") return;
      if (one.lo === undefined) one.lo = answers[i - 1].hi;
      one.lam = (one.lo + one.hi) / 2;
    });
    const made = {
      order, answers, section: row.s, key: row.k, source: row.src, split: row.split, kind: row.kind, seed: row.seed,
      text: text(row.q), references: row.r.map(text), dropped: row.dropped || 0, error: row.err || "",
      passages: row.p.map(([name, body]) => ({ name: text(name), text: text(body) })),
      ids: [row.s, row.k, row.seed].join("\n"), steps: stepsOf(answers),
    };
    made.policies = answers.filter((one) => one.arm === "policy");
    made.share = badShare(made.steps, answers);
    made.haystack = [made.text, row.k, row.src, ...answers.map((one) => one.text)].join("\n").toLowerCase();
    return made;
  };
  const runs = raw.runs.map(({ name, rows }) => ({ name, questions: rows.map(question) }));
  for (const run of runs) {
    const byIds = new Map(run.questions.map((one) => [one.ids, one]));
    const bare = (ids) => ids.slice(0, ids.lastIndexOf("\n"));
    const byKey = new Map(run.questions.map((one) => [bare(one.ids), one]));
    // A run of other seeds has the same questions.
    run.find = (ids) => byIds.get(ids) || byKey.get(bare(ids)) || null;
  }
  return { runs, sections: raw.sections };
}

/* What the slider steps through: a path's own segments; a grid's λ, each with the range nearest to it. */
function stepsOf(answers) {
  const path = answers.filter((one) => one.arm === "path");
  if (path.length) return path.map((one) => ({ answer: one, lo: one.lo, hi: one.hi, at: (one.lo + one.hi) / 2 }));
  const grid = answers.filter((one) => one.arm === "lam").sort((a, b) => a.lam - b.lam);
  return grid.map((one, i) => ({
    answer: one, at: one.lam,
    lo: i ? (grid[i - 1].lam + one.lam) / 2 : one.lam,
    hi: i + 1 < grid.length ? (one.lam + grid[i + 1].lam) / 2 : one.lam,
  }));
}

/* The share of λ at which the answer is marked, of a grid the share of its answers; NaN where nothing
   can be said. */
function badShare(steps, answers) {
  const weighed = steps.length && steps[0].answer.arm === "path"
    ? steps.map(({ answer, lo, hi }) => [answer.bad, hi - lo])
    : answers.filter((one) => one.arm !== "policy").map((one) => [one.bad, 1]);
  const said = weighed.filter(([bad]) => bad !== null);
  const total = said.reduce((sum, [, weight]) => sum + weight, 0);
  return said.reduce((sum, [bad, weight]) => sum + (bad ? weight : 0), 0) / (total || NaN);
}
