// What an import has done, and what was wrong with features. Text is set as text, never as markup.

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

export const showReport = ({ name, report, status }, collections) => {
  const title = status === "undone" ? `${name}: undone` : `${name}: imported`;
  document.getElementById("done-title").textContent = title;
  const parts = report.layers.map((layer) => {
    const part = document.createElement("div");
    const heading = document.createElement("h3");
    if (status === "undone" && layer.mode === "create") {
      heading.append(element("bdi", layer.name));
    } else {
      const link = element("a", layer.name);
      link.href = `${collections}/${layer.layer_id}?f=html`;
      heading.append(link);
    }
    const counts = CHANGES.filter(([member]) => layer[member]).map(
      ([member, text]) => `${number(layer[member])} ${text}`,
    );
    const list = document.createElement("ul");
    list.className = "plain";
    const lines = [
      counts.length ? `Features: ${counts.join(", ")}` : "No features.",
      layer.crs && `Read as ${crsText(layer.crs)}`,
      layer.extent && `Extent: ${extentText(layer.extent)}`,
      ...layer.notes,
    ];
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
      row.append(element("td", fault[member] ?? ""));
    }
    return row;
  });
  document.getElementById("faults").replaceChildren(...rows);
};
