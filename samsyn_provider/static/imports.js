// The page of imports: uploads files, shows what was found in them, imports them, and undoes that.
// All of it is requested from the management API, as the person who is signed in on the pages.
import {
  choicesOf,
  fillFields,
  offerLayers,
  showChosen,
  showInspection,
  showMode,
} from "./inspection.js";
import { element, show, showFaults, showReport } from "./reports.js";
import { editableLayers, faultsAsCsv, problem, refusalOf, send, upload } from "./requests.js";

const page = document.getElementById("imports");
const byId = (id) => document.getElementById(id);
const { collections } = page.dataset;
const ACTIVE = new Set(["accepted", "running"]);
const POLL = 700; // milliseconds between two looks at a running job

let current = null; // the import that is shown
let sending = null; // the request that sends files
let watched = 0; // counts the imports opened: an older one's poll ends

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
  for (const id of ["upload", "read-again", "undo", "undo-rest", "again"]) {
    byId(id).disabled = isWorking;
  }
  showChosen(byId("choices"), isWorking);
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

const uploadFiles = async (files) => {
  const size = [...files].reduce((sum, file) => sum + file.size, 0);
  if (!files.length) return;
  if (size > Number(page.dataset.max)) {
    const most = Number(page.dataset.max).toLocaleString("en");
    throw new Error(`The files have ${size.toLocaleString("en")} bytes; the server takes ${most}.`);
  }
  const refusal = refusalOf(files);
  if (refusal) throw new Error(refusal);
  hide();
  tell(`Uploading ${[...files].map((file) => file.name).join(", ")} …`);
  work(true, 0);
  const { request, created } = upload(files, (progress) => work(true, progress));
  sending = request;
  try {
    current = await created;
  } catch (error) {
    tell("");
    throw error;
  } finally {
    sending = null;
  }
  byId("upload-form").reset();
  await open(current.id);
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
  const { inspection, report, status, job } = current;
  const hasFailed = job?.status === "failed";
  tell(job?.status === "dismissed" ? "Cancelled: nothing of it was stored." : "");
  hide();
  const isDone = Boolean(report) && (status === "imported" || status === "undone");
  if (isDone) {
    byId("done").hidden = false;
    byId("undo").hidden = status !== "imported";
    byId("again").hidden = status !== "undone" || !inspection;
    showReport(current, collections);
  }
  const asksAgain = hasFailed && job.kind !== "undo" && status !== "imported";
  if (inspection && (!isDone || asksAgain)) await showFound();
  byId("undo-rest").hidden = !(job?.kind === "undo" && hasFailed);
  if (current.fault_count) {
    const { faults, fault_count: count } = await send(`/imports/${current.id}/faults`);
    const inspected = (inspection?.layers ?? []).flatMap((layer) =>
      layer.faults.map((fault) => ({ layer: layer.name, ...fault })),
    );
    showFaults(faults.length ? faults : inspected, count);
  }
  if (hasFailed) {
    complain(failure());
    return;
  }
  const title = byId("found").hidden ? byId("done-title") : byId("found-title");
  title.focus();
};

// Why the newest job failed, and what can be done about faults.
const failure = () => {
  const { job, status, fault_count: count, choices } = current;
  const error = problem(job.problem, 500);
  if (job.kind === "import" && status === "failed" && count && !choices?.skip_faulty) {
    error.message += "\nNothing was imported. Tick “Leave out what is faulty” to import the rest.";
  }
  return error;
};

const showFound = async () => {
  const { inspection, choices } = current;
  showInspection(current);
  fillFields(byId("choices"), inspection, choices);
  showChosen(byId("choices"), false);
  globalThis.dispatchEvent(new Event("resize")); // the map was drawn while it was hidden
  await changeMode(choices?.layer_id);
};

// Shows what the mode asks for. The layers are listed anew: the person may have made one since.
const changeMode = async (chosen) => {
  const form = byId("choices");
  showMode(form);
  if (form.elements.mode.value !== "create") {
    const type = form.dataset.kind === "rasters" ? "geotiff" : "vector";
    offerLayers(form, await editableLayers(type), chosen);
  }
};

const questionOf = ({ name, status }) =>
  status === "imported"
    ? `Delete the import of ${name}? Its layers stay as they are, and it can no longer be undone.`
    : `Delete the import of ${name} with its files?`;

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
        if (!confirm(questionOf(one))) return;
        await send(`/imports/${one.id}`, "DELETE");
        if (current?.id === one.id) {
          watched += 1;
          current = null;
          tell("");
          work(false);
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
    if (sending) sending.abort();
    else if (current?.job) await send(`/jobs/${current.job.id}`, "DELETE");
  }),
);

// Begins a job of the import that is shown, and watches it.
const begin = async (action, body) => {
  work(true);
  const { id } = current;
  current.job = await send(`/imports/${id}/${action}`, "POST", body);
  await open(id);
};

byId("read-again").addEventListener(
  "click",
  doing(async () => {
    const { crs, encoding, x, y, wkt, decimal } = choicesOf(byId("choices"));
    const { nodata } = byId("choices").elements;
    const choices = { crs, encoding, x, y, wkt, decimal };
    if (byId("choices").dataset.kind === "rasters" && nodata.value) choices.nodata = Number(nodata.value);
    await begin("inspect", choices);
  }),
);

byId("choices").addEventListener(
  "submit",
  doing(async () => {
    await begin("commit", choicesOf(byId("choices")));
  }),
);
byId("choices").elements.mode.addEventListener("change", doing(() => changeMode()));
byId("layers").addEventListener("change", () => {
  showChosen(byId("choices"), page.dataset.busy === "true");
});
byId("again").addEventListener(
  "click",
  doing(async () => {
    byId("done").hidden = true;
    await showFound();
    byId("found-title").focus();
  }),
);

for (const [id, force] of [
  ["undo", false],
  ["undo-rest", true],
]) {
  byId(id).addEventListener(
    "click",
    doing(async () => {
      await begin("undo", { force });
    }),
  );
}

byId("faults-csv").addEventListener(
  "click",
  doing(async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await faultsAsCsv(current.id));
    link.download = `faults-${current.name}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  }),
);

const start = doing(async () => {
  show(page);
  await listPast();
  const id = location.hash.slice(1);
  if (/^[0-9a-f-]{36}$/.test(id)) await open(id);
});
start();
