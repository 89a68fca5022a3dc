// The form of an items page: the view of the map as its box, and short addresses.
"use strict";

const form = document.getElementById("items-form");
const button = document.getElementById("this-view");

// Inputs that select nothing are left out of the address; `how` says how to read the text after it.
form.addEventListener("formdata", ({ formData }) => {
  for (const [name, text] of [...formData]) {
    if (text === "") formData.delete(name);
  }
  for (const name of [...formData.keys()]) {
    if (name.startsWith("how.") && !formData.has(`text.${name.slice(4)}`)) formData.delete(name);
  }
});

if (typeof samsynMap !== "undefined" && samsynMap) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const { map } = samsynMap;
    const bounds = map.getBounds();
    const isWorld = bounds.getEast() - bounds.getWest() >= 360;
    const edges = [
      isWorld ? -180 : bounds.getWest(),
      Math.max(-90, bounds.getSouth()),
      isWorld ? 180 : bounds.getEast(),
      Math.min(90, bounds.getNorth()),
    ];
    form.elements.bbox.value = edges.map((edge) => Number(edge.toFixed(5))).join(",");
    form.elements["bbox-crs"]?.remove();
    form.requestSubmit();
  });
}
