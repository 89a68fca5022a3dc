// Draws the features in the page's #features element, or what `show` is given, over the coasts.
"use strict";

const samsynMap = (() => {
  const element = document.getElementById("map");
  if (!element) return null;
  const map = L.map(element, { worldCopyJump: true, zoomSnap: 0.25, attributionControl: false });
  map.setView([57, 11.5], 3);
  const coasts = map.createPane("coasts");
  coasts.style.zIndex = "250";

  const drawn = fetch(element.dataset.land)
    .then((answer) => answer.json())
    .then((atlas) => {
      L.geoJSON(topojson.feature(atlas, atlas.objects.land), {
        pane: "coasts",
        interactive: false,
        style: { stroke: false, fillColor: "#e9e2cf", fillOpacity: 1 },
      }).addTo(map);
    });

  // Text is set as text, so that nothing in the data can be taken for markup.
  const table = (feature) => {
    const list = document.createElement("dl");
    for (const [name, value] of Object.entries(feature.properties || {}).slice(0, 12)) {
      const term = document.createElement("dt");
      const text = document.createElement("dd");
      term.textContent = name;
      text.textContent = typeof value === "string" ? value : JSON.stringify(value);
      list.append(term, text);
    }
    return list;
  };

  const show = (features, colour = "#005f8a") =>
    L.geoJSON(features, {
      style: (feature) =>
        /Point/.test(feature.geometry.type)
          ? { color: "#fff", weight: 1.5, fillColor: colour, fillOpacity: 1 }
          : { color: colour, weight: 2, fillColor: colour, fillOpacity: 0.3 },
      pointToLayer: (_, place) => L.circleMarker(place, { radius: 6 }),
      onEachFeature: (feature, layer) => {
        if (feature.properties && Object.keys(feature.properties).length) {
          layer.bindPopup(() => table(feature));
        }
      },
    }).addTo(map);

  const frame = (layers) => {
    const bounds = L.latLngBounds([]);
    for (const layer of layers) bounds.extend(layer.getBounds());
    if (bounds.isValid()) map.fitBounds(bounds.pad(0.1), { maxZoom: 11 });
  };

  return { map, show, frame, drawn };
})();

const features = document.getElementById("features");
if (samsynMap && features) {
  samsynMap.frame([samsynMap.show(JSON.parse(features.textContent))]);
}
