// Sorts a table that has numbers by the column whose header is clicked, or chosen with Enter; again turns it round.
"use strict";

// "(0.304)", "1,000", "0.967 - 1.000" and "4.5 M" count as their first number; "-" and "" as none.
function number(text) {
  const found = /^[\s(±]*(-?\d[\d,]*\.?\d*)\s*(M|k)?/.exec(text);
  if (!found) return NaN;
  return Number(found[1].replaceAll(",", "")) * ({ M: 1e6, k: 1e3 }[found[2]] || 1);
}

// Cells without a number come last, whichever way the others go; texts go by the alphabet.
function compare(a, b, numeric, sign) {
  if (!numeric) return sign * a.localeCompare(b, undefined, { numeric: true });
  const [x, y] = [number(a), number(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
  return sign * (x - y);
}

// Whether most rows have a number in a column.
function isNumeric(body, column) {
  const texts = [...body.rows].map((row) => row.cells[column]?.textContent.trim() ?? "");
  return texts.filter((text) => !Number.isNaN(number(text))).length > texts.length / 2;
}

function sortBy(table, header, column) {
  const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, text: row.cells[column]?.textContent.trim() ?? "" }));
  const numeric = isNumeric(body, column);
  rows.sort((a, b) => compare(a.text, b.text, numeric, sign));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  body.append(...rows.map(({ row }) => row));
}

function makeSortable(table) {
  if (!table.tHead || !table.tBodies[0] || table.tBodies[0].rows.length < 3) return;
  const headers = [...table.tHead.rows[0].cells];
  if (!headers.some((_, column) => isNumeric(table.tBodies[0], column))) return;
  headers.forEach((header, column) => {
    if (header.textContent.trim() === "") return;
    header.classList.add("sortable");
    header.tabIndex = 0;
    header.addEventListener("click", () => sortBy(table, header, column));
    header.addEventListener("keydown", (event) => {
      if (event.key === "Enter") sortBy(table, header, column);
    });
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("table.docutils").forEach(makeSortable);
});
