// Draws the public layers that the page lists, each in the colour of its legend.
"use strict";

const entries = [...document.querySelectorAll(".legend [data-items]")];

const load = async (entry) => {
  const state = entry.querySelector(".state");
  try {
    const response = await fetch(entry.dataset.items, { headers: { Accept: "application/geo+json" } });
    if (!response.ok) throw new Error(`the server responded with ${response.status}`);
    const page = await response.json();
    const isComplete = !page.links.some((link) => link.rel === "next");
    state.textContent = isComplete ? "" : `The first ${page.features.length} are drawn`;
    return { page, colour: entry.dataset.colour };
  } catch (error) {
    state.textContent = `Not drawn: ${error.message}`;
    state.classList.add("error");
    return null;
  }
};

// Points are drawn above lines, and lines above areas, regardless of their order in the list.
const rank = ({ page }) => {
  const located = page.features.find((feature) => feature.geometry);
  if (!located) return 0;
  return ["Polygon", "Line", "Point"].findIndex((kind) => located.geometry.type.includes(kind));
};

for (const entry of entries) {
  entry.querySelector("rect").setAttribute("fill", entry.dataset.colour);
}
Promise.all(entries.map(load)).then((results) => {
  const layers = results.filter(Boolean).sort((one, other) => rank(one) - rank(other));
  const isShifted = samsynMap.crossesAntimeridian(layers.map(({ page }) => page));
  samsynMap.frame(layers.map(({ page, colour }) => samsynMap.show(page, colour, isShifted)));
  document.documentElement.dataset.drawn = "true";
});
