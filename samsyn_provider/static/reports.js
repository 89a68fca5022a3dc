// What an import has done, and what was wrong with features. Text is set as text, never as markup.
import { inWordsOfPage } from "./labels.js";

export const element = (tag, text = "", className = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  made.dir = "auto";
  if (className) made.className = className;
  return made;
};

export const show = (shown) => {
  shown.hidden = false;
};

export const number = (value) => Number(value).toLocaleString("en");

const CHANGES = [
  ["inserted", "added"],
  ["updated", "changed"],
  ["deleted", "deleted"],
  ["unchanged", "as they were"],
  ["skipped", "left out"],
];

const degrees = (value) => Number(value.toFixed(4));

export const extentText = (extent) => {
  if (!extent) return "";
  const [west, south, east, north] = extent.map(degrees);
  return `longitude ${west} to ${east}, latitude ${south} to ${north}`;
};

export const crsText = (crs) => {
  if (!crs) return "";
  return `${crs.name}${crs.code ? ` (${crs.code})` : ""}, ${crs.origin}`;
};

const rasterText = ({ times }) => (times ? `A raster of ${number(times)} times.` : "A raster.");

const importedLines = (layer) => {
  const counts = CHANGES.filter(([member]) => layer[member]).map(
    ([member, text]) => `${number(layer[member])} ${text}`,
  );
  const kinds = layer.source_type === "geotiff" ? rasterText(layer) : "";
  return [
    kinds || (counts.length ? `Features: ${counts.join(", ")}` : "No features."),
    layer.crs && `Read as ${crsText(layer.crs)}`,
    layer.extent && `Extent: ${extentText(layer.extent)}`,
    ...layer.notes.map(inWordsOfPage),
  ];
};

const undoneLines = ({ layer_id: id, mode, source_type: type }, result) => {
  const kept = result?.kept?.find((change) => change.layer_id === id);
  const before = type === "geotiff" ? "It is drawn as it was." : "Its features are as they were.";
  const whole = mode === "create" ? "The layer was deleted." : before;
  if (!kept) return [whole];
  return mode === "create"
    ? [`The layer was left as it is: ${kept.reason}.`]
    : [`Left as they are: ${kept.reason}.`, "Its other features are as they were."];
};

export const showReport = ({ name, report, status, job }, collections) => {
  const title = status === "undone" ? `${name}: undone` : `${name}: imported`;
  document.getElementById("done-title").textContent = title;
  const parts = report.layers.map((layer) => {
    const part = document.createElement("div");
    const heading = document.createElement("h3");
    const isKept = job?.result?.kept?.some((change) => change.layer_id === layer.layer_id);
    const isGone = status === "undone" && layer.mode === "create" && !isKept;
    if (isGone || layer.source_type === "geotiff") {
      heading.append(element("bdi", layer.name));
    } else {
      const link = element("a", layer.name);
      link.href = `${collections}/${layer.layer_id}?f=html`;
      heading.append(link);
    }
    const list = document.createElement("ul");
    list.className = "plain";
    const lines = status === "undone" ? undoneLines(layer, job?.result) : importedLines(layer);
    list.append(...lines.filter(Boolean).map((line) => element("li", line)));
    part.append(heading, list);
    return part;
  });
  document.getElementById("report").replaceChildren(...parts);
};

export const showFaults = (faults, count) => {
  document.getElementById("faulty").hidden = false;
  const shown = faults.length < count ? `, the first ${number(faults.length)}` : "";
  document.getElementById("faulty-title").textContent = `Faults: ${number(count)}${shown}`;
  const rows = faults.map((fault) => {
    const row = document.createElement("tr");
    for (const member of ["layer", "number", "line", "feature_id", "field", "reason"]) {
      const text = fault[member] ?? "";
      row.append(element("td", member === "reason" ? inWordsOfPage(text) : text));
    }
    return row;
  });
  document.getElementById("faults").replaceChildren(...rows);
};
