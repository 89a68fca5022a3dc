// Draws the public layers that the page lists, each in the colour of its legend.
"use strict";

const entries = [...document.querySelectorAll(".legend [data-items]")];

const bring = async (entry) => {
  const state = entry.querySelector(".state");
  try {
    const answer = await fetch(entry.dataset.items, { headers: { Accept: "application/geo+json" } });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const page = await answer.json();
    const isWhole = !page.links.some((link) => link.rel === "next");
    state.textContent = isWhole ? "" : `The first ${page.features.length} are drawn`;
    return { page, colour: entry.dataset.colour };
  } catch (error) {
    state.textContent = `Not drawn: ${error.message}`;
    state.classList.add("error");
    return null;
  }
};

// Points are to lie on lines, and lines on areas, whatever the order they are listed in.
const rank = ({ page }) => {
  const placed = page.features.find((feature) => feature.geometry);
  if (!placed) return 0;
  return ["Polygon", "Line", "Point"].findIndex((kind) => placed.geometry.type.includes(kind));
};

for (const entry of entries) {
  entry.querySelector("rect").setAttribute("fill", entry.dataset.colour);
}
Promise.all(entries.map(bring)).then((brought) => {
  const layers = brought.filter(Boolean).sort((one, other) => rank(one) - rank(other));
  samsynMap.frame(layers.map(({ page, colour }) => samsynMap.show(page, colour)));
  document.documentElement.dataset.drawn = "true";
});
