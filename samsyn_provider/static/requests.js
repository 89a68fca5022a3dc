// What the page of imports requests of the management API, as the person who is signed in.
import { inWordsOfPage, labelOf } from "./labels.js";

const { api, header, page } = document.getElementById("imports").dataset;
const headers = { [header]: page, Accept: "application/json" };
const PAGE = 1000; // layers of a request, the most that the API lists

// An error with what a problem document says, each thing once, and fields by their labels.
export const problem = (document, status) => {
  const parts = [document?.detail ?? `The server responded with ${status}.`];
  for (const { pointer, detail } of document?.errors ?? []) {
    if (!detail || parts.some((part) => part.includes(detail))) continue;
    const label = labelOf(pointer?.split("/").pop());
    parts.push(label ? `${label}: ${detail}` : detail);
  }
  return Object.assign(new Error(parts.map(inWordsOfPage).join("\n")), { status });
};

export const send = async (path, method = "GET", body = undefined) => {
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await fetch(`${api}${path}`, {
    method,
    headers: { ...headers, ...json },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-cache",
  });
  if (response.status === 204) return null;
  const type = response.headers.get("Content-Type") ?? "";
  const document = type.includes("json") ? await response.json() : null;
  if (!response.ok) throw problem(document, response.status);
  return document;
};

// The layers of a type that the person may change, by name.
export const editableLayers = async (type = "vector") => {
  const layers = [];
  for (let offset = 0; ; offset += PAGE) {
    const query = `source_type=${type}&inline=false&limit=${PAGE}&offset=${offset}`;
    const found = await send(`/layers?${query}`);
    layers.push(...found.filter((layer) => layer.can_edit));
    if (found.length < PAGE) break;
  }
  return layers.sort((one, other) => one.name.localeCompare(other.name));
};

export const faultsAsCsv = async (id) => {
  const response = await fetch(`${api}/imports/${id}/faults?f=csv`, {
    headers: { ...headers, Accept: "text/csv" },
  });
  if (!response.ok) throw problem(null, response.status);
  return response.blob();
};

// Sends files as one import; `request` is what can be aborted, `created` a promise of the import.
export const upload = (files, progress) => {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  const request = new XMLHttpRequest();
  const created = new Promise((resolve, reject) => {
    request.open("POST", `${api}/imports`);
    for (const [key, value] of Object.entries(headers)) request.setRequestHeader(key, value);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => progress((100 * loaded) / total);
    request.upload.onload = () => progress(null);
    request.onload = () =>
      request.status < 300
        ? resolve(request.response)
        : reject(problem(request.response, request.status));
    request.onerror = () => reject(new Error("The connection broke off: upload the files again."));
    request.onabort = () => reject(new Error("The upload was cancelled."));
  });
  request.send(form);
  return { request, created };
};

const RASTER = /\.(tiff?|nc|nc4|asc|prj|tfw|tifw|wld|aux\.xml)$/i;

// Why files are not one import; nothing where they are.
export const refusalOf = (files) => {
  const names = [...files].map((file) => file.name);
  if (names.length < 2) return "";
  if (names.every((name) => RASTER.test(name))) return "";
  const shapes = names.filter((name) => /\.shp$/i.test(name));
  const rule =
    "An import has one file, the parts of one shapefile, or rasters: upload each by itself, or zip them.";
  if (shapes.length !== 1) return `These are ${names.length} files. ${rule}`;
  const stem = shapes[0].slice(0, -"shp".length).toLowerCase();
  const other = names.find((name) => !name.toLowerCase().startsWith(stem));
  return other ? `${other} is no part of ${shapes[0]}. ${rule}` : "";
};
