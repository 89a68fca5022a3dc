// Draws vector tiles on the page's map: those at the address in its `data-tiles`.
// What is clicked in them is shown from its own address, below `data-items`.
import { PbfReader } from "./vendor/pbf-5.1.2/index.js";
import { VectorTile } from "./vendor/mapbox-vector-tile-3.0.0/index.js";

const COLOURS = ["#005f8a", "#c2410c", "#15803d", "#7e22ce", "#b45309", "#be185d", "#0f766e", "#4338ca"];
const POINT = 1;
const LINE = 2;
const REACH = 6; // pixels around a line or a point in which a click means it
const MAX_ZOOM = 18; // beyond it tiles are enlarged

const element = document.getElementById("map");
const strength = element.dataset.ground ? 0.5 : 0.9; // below the features of a page, or alone

const colourOf = (layer, names) =>
  names.length < 2 && element.dataset.colour
    ? element.dataset.colour
    : COLOURS[Math.max(0, names.indexOf(layer)) % COLOURS.length];

const pathOf = (feature, scale) => {
  const path = new Path2D();
  for (const part of feature.loadGeometry()) {
    if (feature.type === POINT) {
      for (const { x, y } of part) {
        path.moveTo(x * scale + 3, y * scale);
        path.arc(x * scale, y * scale, 3, 0, 2 * Math.PI);
      }
      continue;
    }
    part.forEach(({ x, y }, index) => path[index ? "lineTo" : "moveTo"](x * scale, y * scale));
    if (feature.type !== LINE) path.closePath();
  }
  return path;
};

const drawn = (buffer, size) => {
  const { layers } = new VectorTile(new PbfReader(buffer));
  return Object.values(layers)
    .reverse() // the topmost is the first
    .flatMap((layer) =>
      Array.from({ length: layer.length }, (_, index) => {
        const feature = layer.feature(index);
        const path = pathOf(feature, size / layer.extent);
        return { id: feature.id, type: feature.type, layer: layer.name, path };
      }),
    );
};

const paint = (canvas, features, names) => {
  const context = canvas.getContext("2d");
  const ratio = canvas.width / 256;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const { type, layer, path } of features) {
    context.strokeStyle = context.fillStyle = colourOf(layer, names);
    context.lineWidth = type === LINE ? 1.5 : 0.8;
    context.globalAlpha = type === POINT ? strength : strength / 4;
    if (type !== LINE) context.fill(path, "evenodd");
    context.globalAlpha = strength;
    if (type !== POINT) context.stroke(path);
  }
};

const Tiles = L.GridLayer.extend({
  createTile({ x, y, z }, done) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 256 * Math.min(2, Math.ceil(window.devicePixelRatio || 1));
    canvas.features = [];
    canvas.abort = new AbortController();
    const address = this.options.address.replace("{z}", z).replace("{y}", y).replace("{x}", x);
    fetch(address, { signal: canvas.abort.signal })
      .then((response) => {
        if (!response.ok) throw new Error(`the server responded with ${response.status}`);
        return response.arrayBuffer();
      })
      .then((buffer) => {
        canvas.features = drawn(buffer, 256);
        paint(canvas, canvas.features, this.options.names);
        done(null, canvas);
      })
      .catch((error) => done(error, canvas)); // The tile stays empty.
    return canvas;
  },

  // The topmost feature at a position on the screen, or null.
  featureAt(clientX, clientY) {
    for (const { el: canvas, current } of Object.values(this._tiles)) {
      const box = canvas.getBoundingClientRect();
      const scale = 256 / box.width;
      const [x, y] = [(clientX - box.left) * scale, (clientY - box.top) * scale];
      if (!current || x < 0 || y < 0 || x >= 256 || y >= 256) continue;
      const context = document.createElement("canvas").getContext("2d");
      context.lineWidth = 2 * REACH;
      return (
        canvas.features.findLast(
          ({ type, path }) =>
            (type !== LINE && context.isPointInPath(path, x, y, "evenodd")) ||
            (type < 3 && context.isPointInStroke(path, x, y)),
        ) ?? null
      );
    }
    return null;
  },
});

const { map, card } = samsynMap;
const names = JSON.parse(element.dataset.layers ?? "[]");
const pane = map.createPane("tiles");
pane.style.zIndex = "300"; // above the coasts, below the features of the page
const tiles = new Tiles({
  pane: "tiles",
  address: element.dataset.tiles,
  names,
  maxNativeZoom: MAX_ZOOM,
});
tiles.on("tileunload", ({ tile }) => tile.abort.abort());
tiles.on("loading", () => delete element.dataset.drawn);
tiles.on("load", () => {
  element.dataset.drawn = "true";
});
tiles.addTo(map);

const showFeature = async (feature, latlng) => {
  const page = `${element.dataset.items.replace("{layer}", feature.layer)}/${feature.id}`;
  const response = await fetch(`${page}?f=json`);
  if (!response.ok) return;
  const content = card(await response.json(), `${page}?f=html`);
  L.popup({ maxHeight: 240 }).setLatLng(latlng).setContent(content).openOn(map);
};

map.on("click", ({ latlng, originalEvent }) => {
  const feature = tiles.featureAt(originalEvent.clientX, originalEvent.clientY);
  if (feature && element.dataset.items) showFeature(feature, latlng).catch(() => {});
});
