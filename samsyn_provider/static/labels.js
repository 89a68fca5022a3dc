// What the fields of the page are called, in messages that name options of the command.
const form = document.getElementById("choices");
const FIELDS = { "skip-faulty": "skip_faulty", "time-field": "time_field", layer: "layer_id" };

// The label of a field of the choices; nothing where there is none of the name.
export const labelOf = (name) => {
  const field = name ? form.elements.namedItem(FIELDS[name] ?? name) : null;
  const label = field?.labels?.[0];
  if (!label) return "";
  const texts = [...label.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
  return texts.map((node) => node.data.trim()).join("");
};

export const inWordsOfPage = (text) =>
  text
    .replace(/\(`--source-layer [^`]*` imports it\)/g, "(tick it to import it)")
    .replace(/such as --[a-z-]+ /g, "such as ")
    .replace(/--([a-z-]+)/g, (option, name) => {
      const label = labelOf(name);
      return label ? `“${label}”` : option;
    });
