"use strict";
// Drawings in SVG: an interval, and lines over an axis.

const COLOURS = ["#2f6fde", "#a85c00", "#13794a", "#bf3449", "#7a4fd0", "#00808a", "#8a6d00", "#5d6875"];

function svg(name, attributes, parent) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (parent) parent.append(made);
  return made;
}

function element(name, content, parent, className) {
  const made = document.createElement(name);
  if (content !== undefined && content !== null) made.textContent = content;
  if (className) made.className = className;
  if (parent) parent.append(made);
  return made;
}

// An interval between 0 and 1, with a dot at its value; of a single run there is the dot alone.
function intervalBar([value, low, high]) {
  const at = number => 100 * Math.min(1, Math.max(0, number));
  const bar = svg("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img" });
  const words = low === null ? "of a single run" : `between ${low.toFixed(3)} and ${high.toFixed(3)}`;
  bar.setAttribute("aria-label", `${value.toFixed(3)}, ${words}`);
  for (const mark of [0, 50, 100]) svg("line", { class: "rule", x1: mark, x2: mark, y1: 0, y2: 10 }, bar);
  if (low !== null) svg("line", { class: "span", x1: at(low), x2: at(high), y1: 5, y2: 5 }, bar);
  svg("rect", { class: "dot", x: at(value) - 0.8, y: 1.5, width: 1.6, height: 7 }, bar);
  return bar;
}

// Lines: [{xs, ys, lows, highs, colour}]; the axes hold all of them. `dashed` is a level.
function plot(lines, { width = 340, height = 170, bottom = null, top = null, unit = "", dashed = null } = {}) {
  const left = 40, right = 10, above = 8, below = 22;
  const all = key => lines.flatMap(line => line[key] || []);
  const values = [...all("ys"), ...all("lows"), ...all("highs")];
  const low = bottom ?? Math.min(...values), high = top ?? Math.max(...values);
  const first = Math.min(...all("xs")), last = Math.max(...all("xs"));
  const x = number => left + (width - left - right) * (last > first ? (number - first) / (last - first) : 0);
  const y = number => above + (height - above - below) * (high > low ? (high - number) / (high - low) : 0.5);
  const drawn = svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}` });
  for (const number of [low, (low + high) / 2, high]) {
    svg("line", { class: "axis", x1: left, x2: width - right, y1: y(number), y2: y(number) }, drawn);
    svg("text", { x: left - 5, y: y(number) + 4, "text-anchor": "end" }, drawn).textContent = tick(number);
  }
  for (const [number, anchor] of [[first, "start"], [last, "end"]])
    svg("text", { x: x(number), y: height - 6, "text-anchor": anchor }, drawn).textContent = tick(number) + unit;
  if (dashed !== null && dashed !== undefined)
    svg("line", { class: "dashed", x1: left, x2: width - right, y1: y(dashed), y2: y(dashed) }, drawn);
  for (const line of lines) {
    const points = keys => line.xs.map((number, i) => `${x(number).toFixed(1)},${y(keys[i]).toFixed(1)}`);
    if (line.lows && line.highs) {
      const band = [...points(line.highs), ...points(line.lows).reverse()];
      svg("polygon", { class: "band", points: band.join(" "), style: `fill:${line.colour}` }, drawn);
    }
    svg("polyline", { class: "line", points: points(line.ys).join(" "), style: `stroke:${line.colour}` }, drawn);
  }
  return drawn;
}

function tick(number) {
  const size = Math.abs(number);
  if (size >= 1e6) return `${+(number / 1e6).toFixed(2)} M`;
  if (size >= 1e4) return `${Math.round(number / 1e3)} k`;
  return `${+number.toFixed(2)}`;
}
