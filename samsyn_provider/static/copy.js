// Buttons that copy the text of the input that they name.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const input = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    input.select();
    try {
      await navigator.clipboard.writeText(input.value);
    } catch {
      document.execCommand("copy"); // without https there is no clipboard
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 2000);
  });
}
