// Draws the public layers that the page lists, each in the colour of its legend.
"use strict";

for (const entry of document.querySelectorAll(".legend [data-items]")) {
  const state = entry.querySelector(".state");
  const swatch = entry.querySelector("svg");
  const colour = entry.dataset.colour;
  swatch.querySelector("rect").setAttribute("fill", colour);
  entry.drawing = fetch(entry.dataset.items, { headers: { Accept: "application/geo+json" } })
    .then((answer) => {
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      return answer.json();
    })
    .then((page) => {
      state.textContent = "";
      return samsynMap.show(page, colour);
    })
    .catch((error) => {
      state.textContent = `Not drawn: ${error.message}`;
      state.classList.add("error");
      return null;
    });
}

Promise.all([...document.querySelectorAll(".legend [data-items]")].map((entry) => entry.drawing)).then(
  (layers) => {
    samsynMap.frame(layers.filter(Boolean));
    document.documentElement.dataset.drawn = "true";
  },
);
