// The lists beside the image: findings with their fixes, and the labeled objects with their classes.

import { classColor } from "./color";
import { el } from "./dom";
import { find, fixName, keepable, standing, type Doubt, type State } from "./state";
import type { Finding, Obj, ObjectRule } from "./types";

export interface PanelCallbacks {
  look(f: Finding): void; // zoom to it
  hover(f: Finding | null): void;
  fix(f: Finding): void;
  keep(f: Finding): void; // and ask why
  doubtAgain(f: Finding): void;
  select(id: string): void;
  remove(id: string): void;
  setClass(id: string, cls: string): void;
  setAttribute(id: string, name: string, value: string): void;
}

export function showFindings(list: HTMLElement, s: State, on: PanelCallbacks): void {
  on.hover(null); // a row that goes while the pointer is over it never says so
  list.replaceChildren(...s.doubts.map((d) => findingRow(s, d, on)));
  if (s.doubts.length === 0) list.replaceChildren(el("li", { className: "quiet", textContent: "Nothing is in doubt." }));
}

function findingRow(s: State, d: Doubt, on: PanelCallbacks): HTMLElement {
  const f = d.finding;
  const stand = standing(s, d);
  const fix = stand === "open" ? fixName(s, f) : null;
  const row = el(
    "li",
    { className: `finding ${stand}${d.asked ? " asked" : ""}`, tabIndex: 0 },
    el("div", { className: "row" },
      el("span", { className: "badge", textContent: stand === "open" ? f.type : stand }),
      el("span", { className: "score", textContent: `${Math.round(f.score * 100)} %`, title: "how doubtful" })),
    el("p", { textContent: f.why }),
  );
  const buttons = el("div", { className: "row" });
  if (fix !== null) buttons.append(button(fix, () => on.fix(f), "primary small"));
  if (keepable(s, d)) buttons.append(button("Keep…", () => on.keep(f), "small", "The label is right: say why"));
  else if (stand === "open") buttons.append(el("span", { className: "quiet", textContent: "The dataset's rules refuse this: change the label." }));
  if (stand === "kept") buttons.append(button("Doubt again", () => on.doubtAgain(f), "small"));
  row.append(buttons);
  row.addEventListener("click", () => on.look(f));
  row.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && e.target === row) on.look(f);
  });
  for (const event of ["mouseenter", "focus"]) row.addEventListener(event, () => on.hover(f));
  for (const event of ["mouseleave", "blur"]) row.addEventListener(event, () => on.hover(null));
  return row;
}

export function showObjects(list: HTMLElement, s: State, wanted: readonly ObjectRule[], on: PanelCallbacks): void {
  list.replaceChildren(...s.doc.objects.map((o) => objectRow(o, o.id === s.selected, on)));
  if (s.doc.objects.length === 0) list.replaceChildren(el("li", { className: "quiet", textContent: "No boxes. Drag on the image to draw one." }));
  const selected = s.selected === null ? undefined : find(s, s.selected);
  if (!selected) return;
  const row = list.querySelector(".selected");
  const rule = wanted.find((w) => w.class === selected.class);
  if (rule) row?.after(...attributeRows(selected, rule, on));
  row?.scrollIntoView({ block: "nearest" });
}

/** The attributes that the dataset's rules ask of a class, each with its values to choose from, or a line to type in. */
function attributeRows(o: Obj, rule: ObjectRule, on: PanelCallbacks): HTMLElement[] {
  const asked = [...(rule.attributes ?? [])];
  if (rule.occlusion?.policy === "mark" || rule.occlusion?.policy === "skip") asked.push({ name: "occluded" });
  if (rule.truncation === "mark") asked.push({ name: "truncated", values: ["true", "false"] });
  return asked.map((a) => {
    const value = o.attributes?.[a.name] ?? "";
    const values = a.values && !a.values.includes(value) ? [value, ...a.values] : a.values;
    const field = values
      ? el("select", { ariaLabel: a.name }, ...values.map((v) => el("option", { value: v, textContent: v || "—", selected: v === value })))
      : el("input", { value, ariaLabel: a.name, maxLength: 200, autocomplete: "off", required: a.required ?? false });
    field.addEventListener("change", () => on.setAttribute(o.id, a.name, field.value.trim()));
    return el("li", { className: "attribute" }, el("label", {}, el("span", { className: "quiet", textContent: a.required ? `${a.name} *` : a.name }), field));
  });
}

function objectRow(o: Obj, selected: boolean, on: PanelCallbacks): HTMLElement {
  const dot = el("span", { className: "dot" });
  dot.style.background = classColor(o.class);
  const row = el("li", { className: selected ? "object selected" : "object" }, dot);
  if (selected) {
    const input = el("input", { value: o.class, ariaLabel: "class", maxLength: 200, autocomplete: "off", spellcheck: false });
    input.setAttribute("list", "classes");
    input.addEventListener("focus", () => input.select());
    input.addEventListener("change", () => on.setClass(o.id, input.value));
    row.append(input);
  } else {
    row.append(el("span", { className: "name", textContent: o.refine ? `${o.class} — to be refined` : o.class }));
  }
  const from = o.score ? `${Math.round(o.score * 100)} %` : "";
  row.append(el("span", { className: "score", textContent: from, title: o.source }), button("✕", () => on.remove(o.id), "small plain", `Delete ${o.class}`));
  row.addEventListener("click", () => {
    if (!selected) on.select(o.id);
  });
  return row;
}

function button(text: string, act: () => void, className: string, label = ""): HTMLButtonElement {
  const b = el("button", { type: "button", textContent: text, className, ...(label ? { ariaLabel: label, title: label } : {}) });
  b.addEventListener("click", (e) => {
    e.stopPropagation();
    act();
  });
  return b;
}
