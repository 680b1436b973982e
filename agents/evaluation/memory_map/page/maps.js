"use strict";
// Draws the maps. Text enters the page as text only, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const BLANK = -128;
const MOST_LABELS = 40; // more of them could not be read
const redraws = [];

function add(parent, tag, className = "", text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  parent.append(element);
  return element;
}

// The colours of the page's style, from the lowest number of a map to 1.
function scale(lowest) {
  const style = getComputedStyle(document.documentElement);
  const shares = ["--cell", "--share"];
  const names = lowest < 0 ? ["--least", "--write", "--cell", "--read", "--most"] : shares;
  const stops = names.map((name) => {
    const digits = style.getPropertyValue(name).trim().slice(1);
    return [0, 2, 4].map((at) => parseInt(digits.slice(at, at + 2), 16));
  });
  return (number) => {
    const place = ((number - lowest) / (1 - lowest)) * (stops.length - 1);
    const from = Math.max(0, Math.min(stops.length - 2, Math.floor(place)));
    return stops[from].map((part, k) => part + (stops[from + 1][k] - part) * (place - from));
  };
}

function draw(canvas, map, bytes) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(map.columns, map.rows);
  const color = scale(map.lowest);
  bytes.forEach((byte, k) => {
    if (byte !== BLANK) image.data.set([...color(byte / 100), 255], 4 * k);
  });
  context.putImageData(image, 0, 0);
}

function place(kind, index, suffix) {
  if (kind !== "step") return `${kind} ${index}`;
  return `step ${suffix}${index + 1} (${data.labels[index]})`;
}

function addLabels(parent, className, kind) {
  if (kind !== "step" || data.labels.length > MOST_LABELS) return;
  const list = add(parent, "div", className);
  list.setAttribute("aria-hidden", "true"); // pointing tells them
  data.labels.forEach((label, k) => add(list, "span", data.marked[k] ? "marked" : "", label));
}

function showMap(map) {
  const both = map.down === "step" && map.right === "step";
  const part = add(byId("maps"), "section", map.down === map.right ? "map" : "map wide");
  add(part, "h2", "", map.name);
  const said = add(part, "output");
  const plot = add(part, "div", "plot");
  addLabels(plot, "labels down", map.down);
  const field = add(plot, "div", "field");
  addLabels(plot, "labels right", map.right);
  const canvas = add(field, "canvas");
  const bytes = Int8Array.from(atob(map.hundredths), (character) => character.charCodeAt(0));
  let mark = null, row = 0, column = 0;
  canvas.width = map.columns;
  canvas.height = map.rows;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${map.name}: ${map.rows} by ${map.columns}`);

  function tell() {
    const byte = bytes[row * map.columns + column];
    const number = byte === BLANK ? "not compared" : (byte / 100).toFixed(2);
    const down = place(map.down, row, both ? "t2 = " : "");
    said.textContent = `${down}, ${place(map.right, column, both ? "t1 = " : "")}: ${number}`;
    mark = mark ?? add(field, "i");
    mark.style.left = `${(100 * column) / map.columns}%`;
    mark.style.top = `${(100 * row) / map.rows}%`;
    mark.style.width = `max(3px, ${100 / map.columns}%)`;
    mark.style.height = `max(3px, ${100 / map.rows}%)`;
  }

  const within = (index, count) => Math.max(0, Math.min(count - 1, index));
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    row = within(Math.floor(((event.clientY - box.top) / box.height) * map.rows), map.rows);
    column = within(Math.floor(((event.clientX - box.left) / box.width) * map.columns), map.columns);
    tell();
  });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    row = within(row + moves[event.key][0], map.rows);
    column = within(column + moves[event.key][1], map.columns);
    tell();
  });
  redraws.push(() => draw(canvas, map, bytes));
}

const [env, ...facts] = data.facts;
byId("env").textContent = env;
for (const fact of facts) {
  add(byId("facts"), "span", ["success", "failure"].includes(fact) ? fact : "", fact);
}
byId("note").textContent = data.note;
byId("note").hidden = data.note === "";
data.maps.forEach(showMap);
const redraw = () => redraws.forEach((paint) => paint());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
redraw();
