// Layers of a collection as MapLibre's own examples draw them. Every function returns the properties of
// the features that MapLibre has drawn in the box `[west, south, east, north]`, with their `id`, and
// the statuses of what it could not load.
import * as maplibregl from "./maplibre-gl/maplibre-gl.mjs";

const draw = async (source, layers, box, token) => {
  const failures = [];
  const map = new maplibregl.Map({
    container: "map",
    bounds: box,
    style: { version: 8, sources: { source }, layers },
    transformRequest: (url) =>
      token ? { url, headers: { Authorization: `Bearer ${token}` } } : { url },
  });
  const failed = new Promise((resolve) =>
    map.on("error", ({ error }) => {
      failures.push(error.status ?? String(error));
      resolve();
    }),
  );
  await Promise.race([map.once("idle"), failed]);
  const rendered = map.queryRenderedFeatures();
  const drawn = new Map(rendered.map(({ id, properties }) => [id, { ...properties, id }]));
  const bounds = map.getBounds().toArray().flat();
  return { features: [...drawn.values()], bounds, failures };
};

const fill = { id: "areas", type: "fill", source: "source" };
const circle = { id: "points", type: "circle", source: "source" };

window.client = {
  tiles: (tilejson, layer, box, token) =>
    draw(
      { type: "vector", url: tilejson },
      [fill, circle].map((style) => ({ ...style, "source-layer": layer })),
      box,
      token,
    ),

  items: (items, box, token) => draw({ type: "geojson", data: items }, [fill, circle], box, token),
};
