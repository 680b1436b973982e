// Gives every block of code a button that copies it.
"use strict";

// What is copied can be run: of an interactive session that is what was typed, not what it printed.
function typed(text) {
  const lines = text.replace(/\n$/, "").split("\n");
  if (!lines[0].startsWith(">>> ")) return lines.join("\n");
  const prompt = /^(>>>|\.\.\.) ?/;
  return lines.filter((line) => prompt.test(line)).map((line) => line.replace(prompt, "")).join("\n");
}

function addButton(block) {
  const button = document.createElement("button");
  button.className = "copy";
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(typed(block.querySelector("pre").textContent));
    button.textContent = "Copied";
    button.classList.add("done");
    setTimeout(() => {
      button.textContent = "Copy";
      button.classList.remove("done");
    }, 1500);
  });
  block.append(button);
}

document.addEventListener("DOMContentLoaded", () => {
  if (!navigator.clipboard) return; // browsers have none on pages that came over plain HTTP
  document.querySelectorAll("div.highlight").forEach((block) => {
    if (block.querySelector("pre")) addButton(block);
  });
});
