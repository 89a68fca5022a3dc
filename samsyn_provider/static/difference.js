// Draws a feature before and after on the page's map: the geometries of the element #shapes.
"use strict";

const shapes = JSON.parse(document.getElementById("shapes").textContent);
const states = [
  { shape: shapes.former, name: "Before", colour: "#c2410c" },
  { shape: shapes.present, name: "After", colour: "#005f8a" },
].filter(({ shape }) => shape);
const asFeature = ({ shape, name }) => ({ type: "Feature", geometry: shape, properties: { name } });
const isShifted = samsynMap.crossesAntimeridian(states.map(asFeature));
samsynMap.frame(
  states.map((state) => samsynMap.show(asFeature(state), state.colour, isShifted)),
);
