// Draws the features of the page's #features element, or those passed to `show`, over the coasts.
// The map's element has their colour, the bounds to show, and the address of the features' pages.
"use strict";

const samsynMap = (() => {
  const element = document.getElementById("map");
  if (!element) return null;
  const map = L.map(element, { zoomSnap: 0.25, attributionControl: false });
  map.setView([57, 11.5], 3);
  L.control.scale({ imperial: false }).addTo(map);
  const coasts = map.createPane("coasts");
  coasts.style.zIndex = "250";

  // The rings of the atlas jump from one side of the antimeridian to the other. Here their longitudes
  // are continuous, and go beyond 180 degrees; a ring around a pole is closed along its latitude.
  const continuous = (ring) => {
    let turns = 0;
    const positions = ring.map(([x, y], index) => {
      const step = index ? x - ring[index - 1][0] : 0;
      if (Math.abs(step) > 180) turns -= Math.sign(step);
      return [x + 360 * turns, y];
    });
    if (!turns) return positions;
    const [first, last] = [positions[0], positions[positions.length - 1]];
    const pole = Math.sign(first[1]) * 90;
    return [...positions, [last[0], pole], [first[0], pole], first];
  };

  const westOf = (ring) => Math.min(...ring.map(([x]) => x));

  const continuousPolygon = (rings) => {
    const [outer, ...holes] = rings.map(continuous);
    const west = westOf(outer);
    return [
      outer,
      ...holes.map((hole) => {
        const turns = Math.ceil((west - westOf(hole)) / 360);
        return hole.map(([x, y]) => [x + 360 * turns, y]);
      }),
    ];
  };

  const land = (atlas) => {
    const polygons = topojson.feature(atlas, atlas.objects.land).features.flatMap(
      ({ geometry: { type, coordinates } }) => (type === "Polygon" ? [coordinates] : coordinates),
    );
    return { type: "MultiPolygon", coordinates: polygons.map(continuousPolygon) };
  };

  const landStyle = { stroke: false, fillColor: "#e9e2cf", fillOpacity: 1 };
  fetch(element.dataset.land)
    .then((response) => response.json())
    .then((atlas) => {
      const shape = land(atlas);
      for (const shift of [-360, 0, 360]) {
        L.geoJSON(shape, {
          pane: "coasts",
          interactive: false,
          style: landStyle,
          coordsToLatLng: ([x, y]) => L.latLng(y, x + shift),
        }).addTo(map);
      }
    })
    .catch(() => {}); // The features are drawn without the coasts.

  // Text is set as text, so that no data is parsed as markup.
  const add = (parent, tag, text) => {
    const child = document.createElement(tag);
    child.textContent = text;
    child.dir = "auto";
    parent.append(child);
  };

  const MAX_TEXT = 301; // characters: the server cuts what is on a page after 300, and says so

  // The properties of a feature, with a link to its page where it has one.
  const card = ({ properties, id }, href) => {
    const { name, ...others } = properties ?? {};
    const element = document.createElement("div");
    const list = document.createElement("dl");
    if (typeof name === "string") add(element, "h2", name);
    else if (name !== undefined) others.name = name;
    for (const [key, value] of Object.entries(others)) {
      add(list, "dt", key);
      const text = typeof value === "string" ? value : JSON.stringify(value);
      add(list, "dd", text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);
    }
    element.append(list);
    if (href) {
      const link = document.createElement("a");
      link.href = href;
      link.textContent = `Feature ${id}`;
      element.append(link);
    }
    return element;
  };

  // Parts of geometries as ranges of longitudes.
  const ranges = (value) => {
    if (!value) return [];
    if (value.type === "FeatureCollection") return value.features.flatMap(ranges);
    if (value.type === "Feature") return ranges(value.geometry);
    if (value.type === "GeometryCollection") return value.geometries.flatMap(ranges);
    const { type, coordinates } = value;
    const parts = type.startsWith("Multi") ? coordinates : [coordinates];
    return parts.flatMap((part) => {
      const longitudes = positions(part).map(([x]) => x);
      const least = longitudes.reduce((one, other) => Math.min(one, other), Infinity);
      const most = longitudes.reduce((one, other) => Math.max(one, other), -Infinity);
      return longitudes.length ? [[least, most]] : [];
    });
  };

  const positions = (nested) => (typeof nested[0] === "number" ? [nested] : nested.flatMap(positions));

  // Whether the extent of these is smaller across the antimeridian, as the server's: then what has a
  // negative longitude is drawn 360 degrees further east.
  const crossesAntimeridian = (values) => {
    const all = values.flatMap(ranges);
    if (all.some(([west, east]) => west < 0 && east > 0)) return false;
    const eastern = all.filter(([west]) => west >= 0);
    const western = all.filter(([west]) => west < 0);
    if (!eastern.length || !western.length) return false;
    const start = eastern.reduce((least, [west]) => Math.min(least, west), 180);
    const end = western.reduce((most, [, east]) => Math.max(most, east), -180);
    const east = eastern.reduce((most, range) => Math.max(most, range[1]), 0);
    const west = western.reduce((least, range) => Math.min(least, range[0]), 0);
    return east - west > 180 && 360 - (start - end) < 0.9 * (east - west);
  };

  const show = (features, colour = "#005f8a", isShifted = crossesAntimeridian([features])) =>
    L.geoJSON(features, {
      coordsToLatLng: ([x, y]) => L.latLng(y, isShifted && x < 0 ? x + 360 : x),
      style: (feature) =>
        /Point/.test(feature.geometry.type)
          ? { color: "#fff", weight: 1.5, fillColor: colour, fillOpacity: 1 }
          : { color: colour, weight: 2, fillColor: colour, fillOpacity: 0.22 },
      pointToLayer: (_, place) => L.circleMarker(place, { radius: 6 }),
      onEachFeature: (feature, layer) => {
        const { items } = element.dataset;
        const href = items && feature.id !== undefined ? `${items}/${feature.id}?f=html` : null;
        if (href || Object.keys(feature.properties ?? {}).length) {
          layer.bindPopup(() => card(feature, href), { maxHeight: 240 });
        }
      },
    }).addTo(map);

  // A single point is shown with its surroundings; the coasts are too coarse for a high zoom.
  const frame = (layers, [west, south, east, north] = []) => {
    const bounds = L.latLngBounds([]);
    if (west !== undefined) {
      bounds.extend([south, west]).extend([north, west > east ? east + 360 : east]);
    }
    for (const layer of layers) bounds.extend(layer.getBounds());
    if (!bounds.isValid()) return;
    const isPoint = bounds.getSouthWest().equals(bounds.getNorthEast());
    map.fitBounds(bounds, { padding: [24, 24], maxZoom: isPoint ? 8 : 12 });
  };

  return { map, card, show, frame, land, crossesAntimeridian };
})();

const features = document.getElementById("features");
if (samsynMap) {
  const { dataset } = document.getElementById("map");
  const shown = features ? [samsynMap.show(JSON.parse(features.textContent), dataset.colour)] : [];
  samsynMap.frame(shown, dataset.bounds ? JSON.parse(dataset.bounds) : []);
}
