// A dot that says that the collection of the page has changed: nothing is loaded before it is chosen.
"use strict";

const news = document.querySelector("[data-events]");
let source = null;
let known = ""; // the change set after which the page follows

const stop = () => {
  source?.close();
  source = null;
};

// A browser has six connections to a server: pages that nobody looks at take none of them.
const follow = () => {
  if (document.hidden || !news.hidden) return stop();
  if (source) return;
  const query = known && `?last-event-id=${known}`;
  source = new EventSource(news.dataset.events + query);
  source.addEventListener("ready", (event) => (known = event.lastEventId));
  for (const name of ["message", "reset"]) {
    source.addEventListener(name, () => {
      news.hidden = false;
      stop();
    });
  }
};

document.addEventListener("visibilitychange", follow);
window.addEventListener("pagehide", stop);
window.addEventListener("pageshow", follow);
follow();
