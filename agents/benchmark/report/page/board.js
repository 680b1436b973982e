// The leaderboard: a suite at a time, sorted by a column, an agent opened to its tasks.

const DATA = JSON.parse(document.getElementById("data").textContent);
const state = { board: 0, sort: "score", down: true, open: null };
const at = id => document.getElementById(id);
const shown = (value, digits = 3) => value === null || value === undefined ? "–" : value.toFixed(digits);
const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;

const COLUMNS = [
  ["agent", "agent", row => row.agent],
  ["score", "score", row => row.score && row.score[0]],
  ["success", "success", row => row.success],
  ["better", "P(better)", row => row.better && row.better[0]],
  ["seeds", "seeds", row => row.seeds],
  ["minutes", "minutes a run", row => row.minutes],
];

function columnsOf(board) {
  const tasks = board.tasks.map(task => [`task ${task}`, task, row => row.tasks[task] ? mean(row.tasks[task].values) : null]);
  return [...COLUMNS, ...tasks];
}

function rowsOf(board) {
  const words = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const read = columnsOf(board).find(([key]) => key === state.sort)[2];
  const compare = (a, b) => {
    const [x, y] = [read(a), read(b)];
    if (x === null || x === undefined) return y === null || y === undefined ? 0 : 1;
    if (y === null || y === undefined) return -1;
    return (typeof x === "string" ? x.localeCompare(y) : x - y) * (state.down ? -1 : 1);
  };
  return board.agents.filter(row => words.every(word => row.agent.toLowerCase().includes(word))).sort(compare);
}

function drawSuites() {
  at("suites").replaceChildren();
  DATA.boards.forEach((board, number) => {
    const button = element("button", board.suite, at("suites"));
    button.setAttribute("aria-pressed", number === state.board);
    button.onclick = () => { Object.assign(state, { board: number, sort: "score", down: true, open: null }); draw(); };
  });
}

function drawBoard(board) {
  const table = element("table", null, null, "board");
  const head = element("tr", null, element("thead", null, table));
  for (const [key, label] of columnsOf(board)) {
    const cell = element("th", null, head, key === "agent" ? "" : "number");
    const sorted = key === state.sort;
    if (sorted) cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    const button = element("button", label + (sorted ? (state.down ? " ↓" : " ↑") : ""), cell);
    button.onclick = () => {
      state.down = sorted ? !state.down : key !== "agent";
      state.sort = key;
      draw();
    };
    if (key === "score") element("th", "95 %", head, "plain");
  }
  const body = element("tbody", null, table);
  for (const row of rowsOf(board)) drawRow(board, row, body);
  at("board").replaceChildren(table);
}

function drawRow(board, row, body) {
  const line = element("tr", null, body);
  if (state.open === row.agent) line.setAttribute("aria-current", "true");
  const name = element("td", null, line, "name");
  element("button", row.agent, name);
  if (row.missing.length) element("small", `missing: ${row.missing.join(", ")}`, name);
  if (row.overBudget) element("small", `${row.overBudget} runs over budget`, name);
  for (const [key, , read] of columnsOf(board).slice(1)) {
    element("td", shown(read(row), key === "seeds" ? 0 : key === "minutes" ? 1 : 3), line, "number");
    if (key === "score") {
      const cell = element("td", null, line);
      if (row.score) cell.append(intervalBar(row.score));
    }
  }
  line.onclick = () => { state.open = state.open === row.agent ? null : row.agent; draw(); };
}

function drawDetail(board) {
  const row = board.agents.find(agent => agent.agent === state.open);
  at("detail").hidden = !row;
  at("detail").replaceChildren();
  if (!row) return;
  const close = element("button", "×", at("detail"), "close");
  close.setAttribute("aria-label", "Close");
  close.onclick = () => { state.open = null; draw(); };
  element("h2", row.agent, at("detail"));
  const cards = element("div", null, at("detail"), "cards");
  for (const task of board.tasks) if (row.tasks[task]) drawCard(task, row.tasks[task], board.certified[task], cards);
}

// `certified` is what the best policies score; that without memory is a dashed line in the curve.
function drawCard(task, found, certified, cards) {
  const card = element("div", null, cards, "card");
  element("h3", task, card);
  const runs = found.runs.map((run, i) => `seed ${run.seed}: ${shown(found.values[i])} in ${run.steps.toLocaleString("en")} steps, ${shown(run.minutes, 1)} min`);
  for (const words of runs) element("p", words, card);
  if (certified && found.unit === "score")
    element("p", `best without memory: ${certified.memoryless.words}; with memory: ${certified.best.words}`, card);
  const curve = found.curve;
  if (curve) {
    const line = { xs: curve.steps, ys: curve.means, lows: curve.lows, highs: curve.highs, colour: COLOURS[0] };
    const limits = curve.quantity === "score" ? { bottom: Math.min(0, ...curve.lows), top: Math.max(1, ...curve.highs), dashed: certified && certified.memoryless.high } : {};
    card.append(plot([line], { ...limits, unit: " steps" }));
    element("p", `${curve.quantity} on held-out episodes, mean and range over seeds`, card);
  }
  if (found.trace) folded("An episode", found.trace, card);
  folded("Where it comes from", `${found.command}\ncommit ${[...new Set(found.runs.map(run => run.commit))].join(", ")}`, card);
}

function folded(title, text, parent) {
  const details = element("details", null, parent);
  element("summary", title, details);
  element("pre", text, details);
}

function drawProfile(board) {
  const rows = rowsOf(board).filter(row => row.profile).slice(0, COLOURS.length);
  at("profile").replaceChildren();
  at("profile-title").hidden = !rows.length;
  if (!rows.length) return;
  const lines = rows.map((row, i) => ({ xs: DATA.thresholds, ys: row.profile, colour: COLOURS[i] }));
  at("profile").append(plot(lines, { width: 680, height: 240, bottom: 0, top: 1 }));
  const legend = element("div", null, at("profile"), "legend");
  rows.forEach((row, i) => {
    const entry = element("span", null, legend);
    element("i", null, entry).style.background = COLOURS[i];
    entry.append(row.agent);
  });
}

function draw() {
  const board = DATA.boards[state.board];
  drawSuites();
  at("about").textContent = board.about;
  drawBoard(board);
  drawDetail(board);
  drawProfile(board);
}

at("filter").oninput = draw;
draw();
