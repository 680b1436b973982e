// What the agent did in the step, the table of all steps, and the controls.

function shownChoices(action, t, wanted) {
  const order = action.choices.map((_, choice) => choice);
  if (order.length <= SHOWN_CHANCES + 2) return order;
  order.sort((a, b) => action.chances[t][b] - action.chances[t][a]);
  const kept = new Set(order.slice(0, SHOWN_CHANCES));
  kept.add(action.chosen[t]);
  kept.add(wanted);
  return order.filter((choice) => kept.has(choice));
}

function showAction(action) {
  const box = add(byId("choices"), "div", "action");
  const heading = add(box, "h3", "", `${action.name}  `);
  const taken = add(heading, "b");
  const bars = add(box, "div");
  const isSymbol = data.output !== null && action.name === "symbol";
  updates.push((t) => {
    taken.textContent = action.taken[t];
    box.classList.toggle("idle", isSymbol && data.output.symbols[t] === null);
    if (action.chances === null) return;
    bars.replaceChildren();
    const wanted = isSymbol ? data.output.numbers[data.output.columns[t]] : null;
    for (const choice of shownChoices(action, t, wanted)) {
      const isTaken = choice === action.chosen[t];
      const chance = action.chances[t][choice];
      const line = add(bars, "div", isTaken ? "chance taken" : "chance");
      add(line, "span", "", action.choices[choice] + (choice === wanted ? " ✓" : ""));
      add(line, "b").style.width = `${Math.round(100 * chance)}%`;
      add(line, "span", "", chance.toFixed(2));
    }
  });
}

function showNumbers() {
  const list = add(byId("choices"), "dl", "numbers");
  const parts = [["reward", data.rewards], ["return", data.returns], ["value", data.values]];
  for (const [name, numbers] of parts) {
    if (numbers === null) continue;
    const box = add(list, "div");
    add(box, "dt", "", name);
    const number = add(box, "dd");
    updates.push((t) => { number.textContent = numbers[t]; });
  }
}

function showTable() {
  const scroll = byId("scroll");
  const header = add(scroll.querySelector("thead"), "tr");
  data.table.headers.forEach((name) => add(header, "th", "", name).setAttribute("scope", "col"));
  const body = scroll.querySelector("tbody");
  const rows = data.table.rows.map((cells, t) => {
    const missed = data.output && data.output.symbols[t] !== null && !data.output.right[t];
    const row = add(body, "tr", missed ? "miss" : "");
    cells.forEach((cell) => add(row, "td", "", cell));
    row.addEventListener("click", () => go(t));
    return row;
  });
  let current = rows[0];
  updates.push((t) => {
    current.removeAttribute("aria-current");
    current = rows[t];
    current.setAttribute("aria-current", "step");
    // Within the table only: the page stays where it is.
    const top = current.offsetTop - header.offsetHeight;
    const bottom = current.offsetTop + current.offsetHeight;
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    else if (bottom > scroll.scrollTop + scroll.clientHeight)
      scroll.scrollTop = bottom - scroll.clientHeight;
  });
}

function showSummary() {
  const summary = byId("summary");
  updates.push((t) => {
    summary.replaceChildren();
    const output = data.output;
    if (output === null) {
      const moves = data.actions.map((action) => `${action.name} ${action.taken[t]}`).join(", ");
      summary.textContent = `${moves}; reward ${data.rewards[t]}`;
    } else if (output.symbols[t] === null) {
      summary.textContent = "Nothing emitted.";
    } else if (output.right[t]) {
      summary.textContent = `Emitted ${output.symbols[t]}: right ✓`;
    } else {
      add(summary, "span", "wrong",
        `Emitted ${output.symbols[t]}: wrong ✗, not ${output.target[output.columns[t]]}`);
    }
  });
}

function show(t) {
  step = Math.min(Math.max(t, 0), data.steps - 1);
  updates.forEach((update) => update(step));
  byId("slider").value = step + 1;
  byId("slider").setAttribute("aria-valuetext", `step ${step + 1} of ${data.steps}`);
  byId("counter").textContent = `${step + 1} / ${data.steps}`;
  byId("back").disabled = step === 0;
  byId("forward").disabled = step === data.steps - 1;
}

function play(on) {
  clearInterval(timer);
  timer = null;
  if (on) {
    if (step === data.steps - 1) show(0);
    timer = setInterval(() => {
      show(step + 1);
      if (step === data.steps - 1) play(false);
    }, PLAY_MS);
  }
  byId("play").textContent = on ? "❚❚" : "▶";
  byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
  byId("summary").setAttribute("aria-live", on ? "off" : "polite");
}

function go(t) {
  play(false);
  show(t);
}

function fromAddress() {
  const found = /^#step=(\d+)$/.exec(location.hash);
  return found ? Number(found[1]) - 1 : 0;
}

function showHeader() {
  const [env, ...facts] = data.facts;
  byId("env").textContent = env;
  for (const fact of facts) {
    add(byId("facts"), "span", ["success", "failure"].includes(fact) ? fact : "", fact);
  }
  byId("reason").textContent = data.reason;
  byId("reason").hidden = data.reason === "";
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const inControl = event.target.closest("button, input") !== null;
  const inTable = event.target.closest("#scroll") !== null;
  const targets = { ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: data.steps - 1 };
  if (event.key in targets && !(inTable && event.key.startsWith("Arrow"))) {
    event.preventDefault();
    go(targets[event.key]);
  } else if (event.key === " " && !inControl && !inTable) {
    event.preventDefault();
    play(timer === null);
  }
}

showHeader();
data.tapes.forEach(showTape);
if (data.path) showMaze(data.path);
if (data.output) showOutput(data.output);
data.heads.forEach(showHeads);
if (data.curve) showCurve(data.curve);
if (data.observations) showObservations(data.observations);
data.actions.forEach(showAction);
showNumbers();
showTable();
showSummary();
byId("slider").max = data.steps;
byId("slider").addEventListener("input", (event) => go(Number(event.target.value) - 1));
byId("back").addEventListener("click", () => go(step - 1));
byId("forward").addEventListener("click", () => go(step + 1));
byId("play").addEventListener("click", () => play(timer === null));
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", () => go(fromAddress()));
show(fromAddress());
