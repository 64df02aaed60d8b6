/** Filters the findings, opens what a link leads to, and opens everything for print. The report is whole without it. */
export const script = `
"use strict";
(() => {
  const form = document.getElementById("filters");
  const findings = [...document.querySelectorAll(".finding")];
  const output = document.getElementById("shown");
  const empty = document.getElementById("none-shown");
  if (form && output && empty) {
    form.hidden = false;
    const apply = () => {
      const data = new FormData(form);
      const severities = data.getAll("severity");
      const text = String(data.get("text") || "").toLowerCase().trim();
      const protection = String(data.get("protection") || "");
      const standing = String(data.get("standing") || "");
      let shown = 0;
      for (const finding of findings) {
        const { severity, protection: own, standing: stands } = finding.dataset;
        finding.hidden = !(severities.includes(severity) && (protection === "" || protection === own) &&
          (standing === "" || (" " + stands + " ").includes(" " + standing + " ")) &&
          (text === "" || finding.querySelector("summary").textContent.toLowerCase().includes(text) ||
            finding.querySelector(".body").textContent.toLowerCase().includes(text)));
        if (!finding.hidden) shown += 1;
      }
      for (const part of document.querySelectorAll("section.protection"))
        part.hidden = !part.querySelector(".finding:not([hidden])");
      output.textContent = shown + " of " + findings.length + " shown";
      empty.hidden = shown > 0;
    };
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }
  const follow = () => {
    const wanted = location.hash.slice(1);
    const target = wanted && document.getElementById(wanted);
    if (target && target.matches(".finding")) {
      target.hidden = false;
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", follow);
  follow();
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details")].filter((part) => !part.open);
    for (const finding of opened) finding.open = true;
  });
  addEventListener("afterprint", () => {
    for (const finding of opened) finding.open = false;
  });
})();
`;
