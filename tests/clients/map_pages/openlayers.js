// Layers of a collection, as OpenLayers' own examples draw them. The functions resolve to what
// OpenLayers holds of the part of the world `[west, south, east, north]` that it shows in the end:
// `features`, and the names of those drawn in the `middle` of the map.
"use strict";

const degrees = "EPSG:4326";
const mercator = "EPSG:3857";

const show = async (map, box) => {
  const view = map.getView();
  view.fit(ol.proj.transformExtent(box, degrees, view.getProjection()), { size: map.getSize() });
  await new Promise((resolve) => map.once("rendercomplete", resolve));
  return view.calculateExtent(map.getSize());
};

const open = (layer, projection) =>
  new ol.Map({ target: "map", layers: [layer], view: new ol.View({ projection }) });

const contents = (map, extent, features) => ({
  extent: ol.proj.transformExtent(extent, map.getView().getProjection(), degrees),
  features: features.map((feature) => feature.get("number")),
  middle: map
    .getFeaturesAtPixel(map.getSize().map((length) => length / 2))
    .map((feature) => feature.get("name")),
});

const client = {
  async items(collection, firstBox, secondBox) {
    const source = new ol.source.Vector({
      format: new ol.format.GeoJSON(),
      strategy: ol.loadingstrategy.bbox,
      url: (extent) =>
        `${collection}/items?f=json&limit=10000&bbox=${extent.join(",")}` +
        "&bbox-crs=http://www.opengis.net/def/crs/EPSG/0/3857",
    });
    const map = open(new ol.layer.Vector({ source }), mercator);
    await show(map, firstBox);
    const before = source.getFeatures();
    const extent = await show(map, secondBox);
    return {
      before: before.length,
      with_ids: before.filter((feature) => source.getFeatureById(feature.getId()) === feature).length,
      after: source.getFeatures().length,
      ...contents(map, extent, source.getFeaturesInExtent(extent)),
    };
  },

  async tiles(tileset, projection, box) {
    const format = new ol.format.MVT();
    const source = new ol.source.OGCVectorTile({ url: tileset, projection, format });
    if (source.getState() === "loading") {
      await new Promise((resolve) => source.once("change", resolve));
    }
    if (source.getState() !== "ready") throw source.error_;
    const layer = new ol.layer.VectorTile({ source });
    const map = open(layer, projection);
    const extent = await show(map, box);
    const features = layer.getFeaturesInExtent(extent);
    return {
      layers: [...new Set(features.map((feature) => feature.get("layer")))],
      ...contents(map, extent, features),
    };
  },
};
