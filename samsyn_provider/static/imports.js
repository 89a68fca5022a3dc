// The page of imports: uploads files, shows what was found in them, imports them, and undoes that.
// All of it is requested from the management API, as the person who is signed in on the pages.
import { choicesOf, fillFields, showInspection, showMode } from "./inspection.js";
import { element, show, showFaults, showReport } from "./reports.js";

const page = document.getElementById("imports");
const byId = (id) => document.getElementById(id);
const { api, header, page: name, collections } = page.dataset;
const headers = { [header]: name, Accept: "application/json" };
const ACTIVE = new Set(["accepted", "running"]);
const POLL = 700; // milliseconds between two looks at a running job

let current = null; // the import that is shown
let layers = []; // those into which features may be written
let upload = null; // the request that sends files
let watched = 0; // counts the imports opened: an older one's poll ends

const send = async (path, method = "GET", body = undefined) => {
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

const problem = (document, status) => {
  const parts = [document?.detail ?? `The server responded with ${status}.`];
  for (const { pointer, detail } of document?.errors ?? []) {
    if (detail && detail !== parts[0]) parts.push(pointer ? `${pointer}: ${detail}` : detail);
  }
  return Object.assign(new Error(parts.join("\n")), { status });
};

const complain = (error) => {
  byId("problem").textContent = error.message;
  if (error.message) byId("problem").focus();
};

const tell = (text) => {
  byId("state").textContent = text;
};

const work = (isWorking, progress = null) => {
  byId("working").hidden = !isWorking;
  if (progress === null) byId("progress").removeAttribute("value");
  else byId("progress").value = progress;
  page.dataset.busy = isWorking;
};

// Runs what a control does, and says what went wrong with it.
const doing = (action) => async (event) => {
  event?.preventDefault();
  complain(new Error(""));
  try {
    await action(event);
  } catch (error) {
    work(false);
    complain(error);
  }
};

const sendFiles = (files) =>
  new Promise((resolve, reject) => {
    const form = new FormData();
    for (const file of files) form.append("file", file, file.name);
    upload = new XMLHttpRequest();
    upload.open("POST", `${api}/imports`);
    for (const [key, value] of Object.entries(headers)) upload.setRequestHeader(key, value);
    upload.responseType = "json";
    upload.upload.onprogress = ({ loaded, total }) => work(true, (100 * loaded) / total);
    upload.upload.onload = () => work(true);
    upload.onload = () =>
      upload.status < 300 ? resolve(upload.response) : reject(problem(upload.response, upload.status));
    upload.onerror = () => reject(new Error("The connection broke off: upload the files again."));
    upload.onabort = () => reject(new Error("The upload was cancelled."));
    upload.send(form);
  });

const uploadFiles = async (files) => {
  const size = [...files].reduce((sum, file) => sum + file.size, 0);
  if (!files.length) return;
  if (size > Number(page.dataset.max)) {
    const most = Number(page.dataset.max).toLocaleString("en");
    throw new Error(`The files have ${size.toLocaleString("en")} bytes; the server takes ${most}.`);
  }
  hide();
  tell(`Uploading ${[...files].map((file) => file.name).join(", ")} …`);
  work(true, 0);
  try {
    const created = await sendFiles(files);
    byId("upload-form").reset();
    await open(created.id);
  } finally {
    upload = null;
  }
};

const hide = () => {
  for (const id of ["found", "done", "faulty"]) byId(id).hidden = true;
};

const open = async (id) => {
  if (location.hash !== `#${id}`) history.replaceState(null, "", `#${id}`);
  watched += 1;
  await watch(id, watched);
};

// Looks at an import until its job is over, and shows how far it is.
const watch = async (id, turn) => {
  for (;;) {
    const found = await send(`/imports/${id}`);
    if (turn !== watched) return;
    current = found;
    const { job } = found;
    if (!job || !ACTIVE.has(job.status)) break;
    const doing = { inspect: "Reading", import: "Importing", undo: "Undoing" }[job.kind] ?? job.kind;
    work(true, job.status === "running" ? job.progress : null);
    tell(`${doing} ${found.name}: ${job.message || (job.status === "accepted" ? "waiting" : "…")}`);
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
  work(false);
  await showImport();
  await listPast();
};

const showImport = async () => {
  const { inspection, report, status, job, choices } = current;
  const hasFailed = job?.status === "failed";
  tell(job?.status === "dismissed" ? "Cancelled: nothing of it was stored." : "");
  hide();
  if (hasFailed) complain(problem(job.problem, 500));
  if (inspection && (status !== "imported" || hasFailed) && status !== "undone") {
    showInspection(current);
    byId("found").hidden = false;
    fillFields(byId("choices"), inspection, layers, choices);
    globalThis.dispatchEvent(new Event("resize")); // the map was drawn while it was hidden
  }
  if (report && (status === "imported" || status === "undone")) {
    byId("done").hidden = false;
    byId("undo").hidden = status !== "imported";
    showReport(current, collections);
  }
  byId("undo-rest").hidden = !(job?.kind === "undo" && hasFailed);
  if (current.fault_count) {
    const { faults, fault_count: count } = await send(`/imports/${current.id}/faults`);
    const inspected = (inspection?.layers ?? []).flatMap((layer) =>
      layer.faults.map((fault) => ({ layer: layer.name, ...fault })),
    );
    showFaults(faults.length ? faults : inspected, count);
  }
  const title = byId("found").hidden ? byId("done-title") : byId("found-title");
  if (!hasFailed) title.focus();
};

const listPast = async () => {
  const imports = await send("/imports?limit=20");
  const rows = imports.map((one) => {
    const row = document.createElement("li");
    const button = element("button", one.name, "button quiet small");
    button.type = "button";
    button.addEventListener("click", doing(() => open(one.id)));
    const remove = element("button", "Delete", "button quiet small");
    remove.type = "button";
    remove.setAttribute("aria-label", `Delete the import of ${one.name}`);
    remove.addEventListener(
      "click",
      doing(async () => {
        await send(`/imports/${one.id}`, "DELETE");
        if (current?.id === one.id) {
          hide();
          history.replaceState(null, "", location.pathname);
        }
        await listPast();
      }),
    );
    const when = new Date(one.created_at).toLocaleString();
    row.append(button, element("span", ` ${one.status}, ${when} `, "note"), remove);
    return row;
  });
  if (!rows.length) rows.push(element("li", "None yet.", "note"));
  byId("past").replaceChildren(...rows);
};

byId("upload-form").addEventListener("submit", doing(() => uploadFiles(byId("files").files)));
const drop = byId("upload-form");
for (const type of ["dragenter", "dragover"]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const type of ["dragleave", "drop"]) {
  drop.addEventListener(type, () => drop.classList.remove("over"));
}
drop.addEventListener("drop", doing((event) => uploadFiles(event.dataTransfer.files)));

byId("cancel").addEventListener(
  "click",
  doing(async () => {
    if (upload) upload.abort();
    else if (current?.job) await send(`/jobs/${current.job.id}`, "DELETE");
  }),
);

byId("read-again").addEventListener(
  "click",
  doing(async () => {
    const { crs, encoding, x, y, wkt, decimal } = choicesOf(byId("choices"));
    const choices = { crs, encoding, x, y, wkt, decimal };
    await send(`/imports/${current.id}/inspect`, "POST", choices);
    await open(current.id);
  }),
);

byId("choices").addEventListener(
  "submit",
  doing(async () => {
    await send(`/imports/${current.id}/commit`, "POST", choicesOf(byId("choices")));
    await open(current.id);
  }),
);
byId("choices").elements.mode.addEventListener("change", () => showMode(byId("choices")));

for (const [id, force] of [
  ["undo", false],
  ["undo-rest", true],
]) {
  byId(id).addEventListener(
    "click",
    doing(async () => {
      await send(`/imports/${current.id}/undo`, "POST", { force });
      await open(current.id);
    }),
  );
}

byId("faults-csv").addEventListener(
  "click",
  doing(async () => {
    const response = await fetch(`${api}/imports/${current.id}/faults?f=csv`, {
      headers: { ...headers, Accept: "text/csv" },
    });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = `faults-${current.name}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  }),
);

const start = doing(async () => {
  show(page);
  const own = await send("/layers?mine=true&source_type=vector&limit=100");
  layers = own.filter((layer) => layer.can_edit);
  await listPast();
  const id = location.hash.slice(1);
  if (/^[0-9a-f-]{36}$/.test(id)) await open(id);
});
start();
