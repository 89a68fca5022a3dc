// Draws the features of the page's #features element, or those passed to `show`, over the coasts.
"use strict";

const samsynMap = (() => {
  const element = document.getElementById("map");
  if (!element) return null;
  const map = L.map(element, { worldCopyJump: true, zoomSnap: 0.25, attributionControl: false });
  map.setView([57, 11.5], 3);
  L.control.scale({ imperial: false }).addTo(map);
  const coasts = map.createPane("coasts");
  coasts.style.zIndex = "250";

  fetch(element.dataset.land)
    .then((response) => response.json())
    .then((atlas) => {
      L.geoJSON(topojson.feature(atlas, atlas.objects.land), {
        pane: "coasts",
        interactive: false,
        style: { stroke: false, fillColor: "#e9e2cf", fillOpacity: 1 },
      }).addTo(map);
    })
    .catch(() => {}); // The features are drawn without the coasts.

  // Text is set as text, so that no data is parsed as markup.
  const add = (parent, tag, text) => {
    const child = document.createElement(tag);
    child.textContent = text;
    child.dir = "auto";
    parent.append(child);
  };

  const card = ({ properties }) => {
    const { name, ...others } = properties;
    const element = document.createElement("div");
    const list = document.createElement("dl");
    if (typeof name === "string") add(element, "h2", name);
    else if (name !== undefined) others.name = name;
    for (const [key, value] of Object.entries(others).slice(0, 12)) {
      add(list, "dt", key);
      add(list, "dd", typeof value === "string" ? value : JSON.stringify(value));
    }
    element.append(list);
    return element;
  };

  const show = (features, colour = "#005f8a") =>
    L.geoJSON(features, {
      style: (feature) =>
        /Point/.test(feature.geometry.type)
          ? { color: "#fff", weight: 1.5, fillColor: colour, fillOpacity: 1 }
          : { color: colour, weight: 2, fillColor: colour, fillOpacity: 0.22 },
      pointToLayer: (_, place) => L.circleMarker(place, { radius: 6 }),
      onEachFeature: (feature, layer) => {
        if (feature.properties && Object.keys(feature.properties).length) {
          layer.bindPopup(() => card(feature), { maxHeight: 240 });
        }
      },
    }).addTo(map);

  // A single point is shown with its surroundings; the coasts are too coarse for a high zoom.
  const frame = (layers) => {
    const bounds = L.latLngBounds([]);
    for (const layer of layers) bounds.extend(layer.getBounds());
    if (!bounds.isValid()) return;
    const isPoint = bounds.getSouthWest().equals(bounds.getNorthEast());
    map.fitBounds(bounds, { padding: [24, 24], maxZoom: isPoint ? 8 : 12 });
  };

  return { show, frame };
})();

const features = document.getElementById("features");
if (samsynMap && features) {
  samsynMap.frame([samsynMap.show(JSON.parse(features.textContent))]);
}
