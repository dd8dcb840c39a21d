"use strict";
// Everything works without this file. It shows moments in the reader's own time, and renews the overview's figures.

const localise = (root) => {
  for (const time of root.querySelectorAll("time")) time.title = new Date(time.dateTime).toLocaleString();
};
localise(document);

const figures = document.querySelector("[data-events]");
if (figures) {
  const summary = document.getElementById("summary");
  const state = document.getElementById("state");
  const say = (text) => { if (state.textContent !== text) state.textContent = text; };
  const source = new EventSource(figures.dataset.events);
  let shown = "";
  source.addEventListener("figures", ({ data }) => {
    say("These figures renew themselves.");
    if (data === shown) return;
    shown = data;
    const open = new Set([...figures.querySelectorAll("details[open]")].map(({ id }) => id));
    const focused = document.activeElement?.closest("details")?.id;
    figures.innerHTML = data; // rendered by the server, where every text is escaped
    for (const details of figures.querySelectorAll("details")) details.open = open.has(details.id);
    if (focused) document.getElementById(focused)?.querySelector("summary")?.focus();
    localise(figures);
    // Only what has changed is read out, and in one sentence.
    const said = figures.querySelector("[data-summary]")?.dataset.summary ?? "";
    if (summary.textContent !== said) summary.textContent = said;
  });
  source.addEventListener("problem", ({ data }) => say(data));
  source.addEventListener("error", () => say("The console does not answer. These figures stand still."));
}
