// What was found in uploaded files, and the choices of how to read them and what to make of them.
import { inWordsOfPage } from "./labels.js";
import { crsText, element, extentText, number } from "./reports.js";

const byId = (id) => document.getElementById(id);
let drawn = [];

const noteLine = (note) => element("li", inWordsOfPage(note));

const line = (term, text) => {
  if (!text) return [];
  return [element("dt", term), element("dd", text)];
};

const typesText = (types) =>
  Object.entries(types ?? {})
    .map(([type, count]) => `${number(count)} ${type}`)
    .join(", ");

const encodingText = (encoding) => {
  if (!encoding) return "";
  const { name, origin, samples } = encoding;
  const known = [name, origin].filter(Boolean).join(", ");
  return [known, (samples ?? []).join(" · ")].filter(Boolean).join(": ");
};

const sampleText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

const fieldsTable = (fields) => {
  const scroll = document.createElement("div");
  scroll.className = "scroll";
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "Fields with samples of their values");
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const title of ["Field", "Type", "Samples"]) {
    const cell = element("th", title);
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const { name, type, format, samples } of fields) {
    const row = body.insertRow();
    const cell = element("th", name);
    cell.scope = "row";
    const types = Array.isArray(type) ? type.join(", ") : type;
    row.append(cell, element("td", format ?? types ?? "any"));
    row.append(element("td", (samples ?? []).map(sampleText).join(" · "), "text"));
  }
  scroll.append(table);
  return scroll;
};

const crsLine = ({ crs, has_geometry: hasGeometry, refusal }) => {
  if (!hasGeometry) return "";
  return crsText(crs) || (refusal ? "" : "unknown: choose one below");
};

const bandText = ({ band, description, min, max, mean, valid_percent: valid, sampled }) => {
  const name = description || `band ${band}`;
  if (min === null) return `${name}: no values`;
  const numbers = `${digits(min)} to ${digits(max)}, mean ${digits(mean)}`;
  return `${name}: ${numbers}, ${valid} % with values${sampled ? ", of a sample" : ""}`;
};

const digits = (value) => Number(value.toPrecision(5)).toLocaleString("en");

const timesText = ({ times, time_count: count }) => {
  if (!count) return "";
  return count === 1 ? times[0] : `${number(count)}, ${times[0]} to ${times.at(-1)}`;
};

const rasterLines = ({ raster }) => {
  if (!raster) return [];
  const { width, height, dtype, resolution, unit, nodata, bands, processing } = raster;
  const drawn = [processing.colormap, processing.rescale?.replace(",", " to ")];
  return [
    ...line("Pixels", `${number(width)} × ${number(height)}, of ${resolution.map(digits).join(" × ")}`),
    ...line("Values", [dtype, unit, nodata === null ? "" : `none is ${nodata}`].filter(Boolean).join(", ")),
    ...line("Bands", bands.map(bandText).join("; ")),
    ...line("Times", timesText(raster)),
    ...line("Drawn", raster.is_categorical ? "as classes" : drawn.filter(Boolean).join(", ")),
  ];
};

const layerPart = (layer, index, chosen) => {
  const part = document.createElement("fieldset");
  part.className = "found-layer";
  part.dataset.source = layer.name;
  const legend = document.createElement("legend");
  const label = document.createElement("label");
  const check = document.createElement("input");
  check.type = "checkbox";
  check.className = "chosen";
  check.checked = !layer.refusal && (chosen ? chosen.has(layer.name) : layer.has_geometry);
  check.disabled = Boolean(layer.refusal);
  label.append(check, " ", element("bdi", layer.name));
  legend.append(label);
  const naming = element("label", "Name of the new layer ");
  naming.dataset.mode = "create";
  const name = document.createElement("input");
  name.className = "layer-name";
  name.value = chosen?.get(layer.name) ?? layer.name;
  name.maxLength = 255;
  name.id = `layer-name-${index}`;
  naming.append(name);
  const list = document.createElement("dl");
  list.append(
    ...rasterLines(layer),
    ...line("Features", layer.refusal || layer.raster ? "" : `${number(layer.feature_count)}${layer.has_geometry ? "" : ", without geometries"}`),
    ...line("Geometries", typesText(layer.geometry_types)),
    ...line("CRS", crsLine(layer)),
    ...line("Extent", extentText(layer.extent)),
    ...line("Texts", encodingText(layer.encoding)),
    ...line("Without geometry", layer.null_count ? number(layer.null_count) : ""),
    ...line("Not valid", layer.invalid_count ? `${number(layer.invalid_count)} geometries` : ""),
    ...line("Faults", layer.fault_count ? `${number(layer.fault_count)}, listed below` : ""),
  );
  part.append(legend);
  if (layer.refusal) part.append(element("p", inWordsOfPage(layer.refusal), "error"));
  else part.append(naming);
  const notes = document.createElement("ul");
  notes.className = "plain";
  notes.append(...(layer.notes ?? []).map(noteLine));
  part.append(list, notes);
  if (layer.fields?.length) part.append(fieldsTable(layer.fields));
  return part;
};

const box = ({ name, extent: [west, south, east, north] }) => {
  const end = west > east ? east + 360 : east;
  const isPoint = west === end && south === north;
  const ring = [[west, south], [end, south], [end, north], [west, north], [west, south]];
  return {
    type: "Feature",
    properties: { name },
    geometry: isPoint
      ? { type: "Point", coordinates: [west, south] }
      : { type: "Polygon", coordinates: [ring] },
  };
};

const drawExtents = (layers) => {
  if (typeof samsynMap === "undefined" || !samsynMap) return;
  for (const layer of drawn) layer.remove();
  const found = layers.filter((layer) => layer.extent);
  byId("map").hidden = !found.length;
  if (!found.length) return;
  samsynMap.map.invalidateSize();
  drawn = [samsynMap.show({ type: "FeatureCollection", features: found.map(box) }, undefined, false)];
  samsynMap.frame(drawn);
};

export const showInspection = ({ name, inspection, choices }) => {
  const { format, layers, notes } = inspection;
  byId("found-title").textContent = `${name}${format ? `: ${format}` : ""}`;
  byId("found-notes").replaceChildren(...(notes ?? []).map(noteLine));
  const chosen = choices?.layers
    ? new Map(choices.layers.map((layer) => [layer.source, layer.name]))
    : null;
  byId("layers").replaceChildren(...layers.map((layer, index) => layerPart(layer, index, chosen)));
  byId("found").hidden = false;
  showKind(layers, inspection.series);
  drawExtents(layers);
  const faults = layers.reduce((sum, layer) => sum + layer.fault_count, 0);
  byId("stops").hidden = !faults;
  const columns = layers.find((layer) => layer.columns)?.columns;
  for (const member of ["x", "y", "wkt"]) {
    byId("choices").elements[member].placeholder = columns?.[member] ?? "";
  }
  byId("reading").open = layers.some((layer) => layer.refusal || (layer.has_geometry && !layer.crs));
};

// Shows the choices of rasters, or those of features.
const showKind = (layers, series) => {
  const areRasters = layers.some((layer) => layer.raster);
  const form = byId("choices");
  for (const part of form.querySelectorAll("[data-kind]")) {
    part.hidden = part.dataset.kind !== (areRasters ? "rasters" : "features");
  }
  form.dataset.kind = areRasters ? "rasters" : "features";
  byId("series").hidden = !series;
  byId("series-name").textContent = series ? `${series.name}: ${number(series.times.length)} times` : "";
  for (const option of form.elements.mode.options) {
    option.hidden = areRasters && !["create", "replace"].includes(option.value);
    option.disabled = option.hidden;
  }
};

const options = (select, entries) => {
  const before = select.value;
  select.replaceChildren(
    ...entries.map(([value, text]) => Object.assign(element("option", text), { value })),
  );
  if (entries.some(([value]) => value === before)) select.value = before;
};

// Shows the choices that the mode has.
export const showMode = (form) => {
  const { value } = form.elements.mode;
  const { kind } = form.dataset;
  for (const part of form.querySelectorAll("[data-mode]")) {
    const isOfOther = part.dataset.kind && part.dataset.kind !== kind;
    part.hidden = Boolean(isOfOther) || !part.dataset.mode.split(" ").includes(value);
  }
  form.elements.key.required = value === "update";
  form.elements.layer_id.required = value !== "create";
};

// Allows the import where something is chosen; says what to do where nothing is.
export const showChosen = (form, isBusy) => {
  const [any, chosen] = [".chosen:enabled", ".chosen:checked"].map((part) => form.querySelector(part));
  byId("commit").disabled = isBusy || !chosen;
  byId("nothing").hidden = Boolean(chosen);
  byId("nothing").textContent = any
    ? "Tick the layers to import."
    : "Nothing of this can be imported as it is: read it in another way, or upload another file.";
};

// Lists the layers that may be written into; `chosen` is the id of one of them.
export const offerLayers = (form, layers, chosen) => {
  const select = form.elements.layer_id;
  options(select, [["", "choose"], ...layers.map(({ id, name }) => [id, name])]);
  if (layers.some(({ id }) => id === chosen)) select.value = chosen;
};

export const fillFields = (form, inspection, choices) => {
  const fields = inspection.layers.flatMap((layer) => layer.fields ?? []);
  const names = [...new Set(fields.map((field) => field.name))];
  const times = fields.filter(({ format }) => format === "date" || format === "date-time");
  byId("columns").replaceChildren(
    ...names.map((name) => Object.assign(document.createElement("option"), { value: name })),
  );
  options(form.elements.key, [["", "none"], ...names.map((name) => [name, name])]);
  const timeNames = [...new Set(times.map((field) => field.name))];
  options(form.elements.time_field, [["", "none"], ...timeNames.map((name) => [name, name])]);
  for (const [name, value] of Object.entries(choices ?? {})) {
    const input = form.elements[name];
    if (!input || Array.isArray(value)) continue;
    if (input.type === "checkbox") input.checked = value;
    else input.value = value ?? ""; // not what was chosen for another import
  }
};

// What is chosen, as the management API takes it: without what is not.
export const choicesOf = (form) => {
  const mode = form.elements.mode.value;
  const parts = [...form.querySelectorAll(".found-layer")];
  const layers = parts
    .filter((part) => part.querySelector(".chosen").checked)
    .map((part) => {
      const name = part.querySelector(".layer-name")?.value.trim();
      return { source: part.dataset.source, ...(mode === "create" && name ? { name } : {}) };
    });
  if (form.dataset.kind === "rasters") return rasterChoicesOf(form, mode, layers);
  const choices = { mode, layers, skip_faulty: form.elements.skip_faulty.checked };
  const texts = ["crs", "encoding", "x", "y", "wkt", "decimal"];
  const more = { create: ["time_field", "visibility"], append: ["layer_id"] };
  const others = more[mode] ?? ["layer_id", "key"];
  for (const name of [...texts, ...others]) {
    const value = form.elements[name].value.trim();
    if (value) choices[name] = value;
  }
  return choices;
};

const rasterChoicesOf = (form, mode, layers) => {
  const { crs, nodata, colormap, lowest, highest, categorical, series, layer_id: layer } = form.elements;
  const choices = { mode, layers, series: series.checked };
  if (crs.value.trim()) choices.crs = crs.value.trim();
  if (nodata.value) choices.nodata = Number(nodata.value);
  if (colormap.value) choices.colormap = colormap.value;
  if (lowest.value && highest.value) choices.rescale = [Number(lowest.value), Number(highest.value)];
  if (categorical.value) choices.categorical = categorical.value === "true";
  if (mode === "create") choices.visibility = form.elements.visibility.value;
  else choices.layer_id = layer.value;
  return choices;
};
