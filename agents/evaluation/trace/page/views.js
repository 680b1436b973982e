"use strict";
// Places the data of a trace. Text enters the page as text only, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const SHOWN_CHANCES = 4; // of a sub-action with many choices, beside the taken one
const PLAY_MS = 450;
const updates = []; // called with the step whenever another one is shown
let step = 0;
let timer = null;

function add(parent, tag, className = "", text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  parent.append(element);
  return element;
}

function section(name, legend = "") {
  const part = add(byId("views"), "section");
  add(add(part, "h2", "", `${name}  `), "small", "", legend);
  return part;
}

function showTape(tape) {
  const filled = "filled: written in this step";
  const shaded = "shade: strength; border or filled: written in this step";
  const part = section(tape.name, tape.strengths ? shaded : tape.writes ? filled : "");
  const box = add(part, "div", tape.writes ? "cells writes" : "cells");
  box.setAttribute("role", "img");
  const cells = tape.rows[0].map(() => add(box, "span", "cell"));
  updates.push((t) => {
    const symbols = tape.rows[tape.row[t]];
    const head = tape.heads[t];
    const written = new Set(tape.written[t]);
    cells.forEach((cell, column) => {
      const strength = tape.strengths ? tape.strengths[t][column] : null;
      cell.textContent = symbols[column];
      cell.className = "cell";
      cell.classList.toggle("head", column === head);
      cell.classList.toggle("written", written.has(column));
      cell.classList.toggle("strong", strength !== null);
      if (strength !== null) {
        const share = Math.round(100 * Math.min(strength, 1));
        const shade = `color-mix(in srgb, var(--pale-write) ${share}%, var(--cell))`;
        cell.style.background = column === head && written.has(column) ? "" : shade;
        cell.title = `strength ${strength}`;
      }
    });
    const place = head === null ? "head outside" : `head on cell ${head + 1}: ${symbols[head]}`;
    box.setAttribute("aria-label", `${tape.name}: ${symbols.join(" ")}; ${place}`);
  });
}

function showOutput(output) {
  const part = section("output", "below the target");
  const box = add(part, "div", "cells");
  box.setAttribute("role", "img");
  const cells = output.target.map((symbol) => {
    const pair = add(box, "span", "pair");
    add(pair, "span", "target", symbol);
    return add(pair, "span", "cell");
  });
  updates.push((t) => {
    cells.forEach((cell) => { cell.textContent = ""; cell.className = "cell"; });
    for (let s = 0; s <= t; s += 1) {
      if (output.symbols[s] === null) continue;
      const cell = cells[output.columns[s]];
      cell.textContent = output.symbols[s];
      cell.className = `cell ${output.right[s] ? "right" : "wrong"}${s === t ? " now" : ""}`;
    }
    const emitted = cells.map((cell) => cell.textContent).filter(Boolean).join(" ");
    box.setAttribute("aria-label",
      `target: ${output.target.join(" ")}; emitted: ${emitted || "nothing"}`);
  });
}

function showMaze(path) {
  const part = section("maze", "blue: the agent, and where it was lately; ★ goal");
  const size = path.walls.length;
  const box = add(part, "div", "maze");
  box.style.gridTemplateColumns = `repeat(${size}, 1fr)`;
  box.setAttribute("role", "img");
  const cells = path.walls.map((row) => row.map((wall) => add(box, "span", wall ? "wall" : "")));
  const goal = cells[path.goal[0]][path.goal[1]];
  goal.className = "goal";
  goal.textContent = "★";
  updates.push((t) => {
    cells.flat().forEach((cell) => { cell.style.background = ""; cell.classList.remove("here"); });
    // Where the agent was lately: the longer ago, the paler.
    for (let s = Math.max(0, t - 24); s < t; s += 1) {
      const [row, column] = path.cells[s];
      const share = 50 - 2 * (t - s);
      cells[row][column].style.background =
        `color-mix(in srgb, var(--read) ${share}%, var(--cell))`;
    }
    const [row, column] = path.cells[t];
    cells[row][column].style.background = "";
    cells[row][column].classList.add("here");
    const reached = path.reached.slice(0, t + 1).filter(Boolean).length;
    box.setAttribute("aria-label",
      `maze: agent in row ${row + 1}, column ${column + 1}; goal reached ${reached} times so far`);
  });
}

function showCurve(numbers) {
  const part = section("return so far");
  const low = Math.min(0, ...numbers), high = Math.max(0, ...numbers);
  const x = (t) => (1000 * t) / Math.max(1, numbers.length - 1);
  const y = (value) => 95 - (90 * (value - low)) / (high - low || 1);
  const draw = (parent, tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    parent.append(element);
    return element;
  };
  const svg = draw(part, "svg",
    { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img" });
  const points = numbers.map((value, t) => `${x(t)},${y(value)}`).join(" ");
  draw(svg, "polyline", { points, class: "curve" });
  const cursor = draw(svg, "line", { y1: 0, y2: 100, class: "cursor" });
  updates.push((t) => {
    cursor.setAttribute("x1", x(t));
    cursor.setAttribute("x2", x(t));
    svg.setAttribute("aria-label", `return so far: ${data.returns[t]}`);
  });
}

function showObservations(observations) {
  const text = add(section("observation"), "p", "observation");
  updates.push((t) => { text.textContent = observations[t]; });
}

function showHeads(heads) {
  const part = section(heads.name);
  const lines = heads.weights[0].map((slots) => {
    const line = add(part, "div", "slots");
    line.setAttribute("role", "img");
    slots.forEach(() => add(line, "span"));
    return line;
  });
  updates.push((t) => heads.weights[t].forEach((slots, k) => {
    const most = slots.indexOf(Math.max(...slots));
    lines[k].setAttribute("aria-label", `head ${k + 1}: most on slot ${most}, ${slots[most]}`);
    slots.forEach((weight, slot) => {
      const share = Math.round(100 * weight);
      const cell = lines[k].children[slot];
      cell.style.background = `color-mix(in srgb, var(--read) ${share}%, var(--cell))`;
      cell.title = `slot ${slot}: ${weight}`;
    });
  }));
}
