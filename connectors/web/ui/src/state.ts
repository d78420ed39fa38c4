// The editor's state and every change that a person can make to it, as pure functions from state to state. Undo is a list of
// earlier documents, which share what they have in common.

import { area, clip, equal, iou, type Box, type Size } from "./geometry";
import type { Annotation, Finding, Obj, Override } from "./types";

export interface Doc {
  readonly objects: readonly Obj[];
  readonly overrides: readonly Override[];
}

/** A finding with the labels that it is about: the task's, or those of a submission that was answered with it. */
export interface Doubt {
  readonly finding: Finding;
  readonly about: Doc;
  readonly asked: boolean; // it was the answer to a submission, which does not count before it is settled
}

export interface State {
  readonly size: Size; // of the image, pixels
  readonly original: Doc; // as the task came
  readonly doubts: readonly Doubt[]; // those that were asked first
  readonly doc: Doc;
  readonly selected: string | null;
  readonly past: readonly Doc[];
  readonly future: readonly Doc[];
}

const depth = 200; // steps of undo that are kept
const smallest = 2; // pixels; a smaller box is a slip of the hand

export function toDoc(a: Annotation, size: Size): Doc {
  return { objects: a.objects.map((o) => ({ ...o, box: clip(o.box, size) })), overrides: a.overrides ?? [] };
}

/** Begins with a draft, if there is one, and what it was asked about. */
export function start(task: Annotation, findings: readonly Finding[], draft: Annotation | null, size: Size): State {
  const original = toDoc(task, size);
  const doc = draft ? toDoc(draft, size) : original;
  const doubts = findings.map((finding) => ({ finding, about: original, asked: false }));
  return ask({ size, original, doubts, doc, selected: null, past: [], future: [] }, draft?.findings ?? []);
}

/** Takes in what a submission of the document as it is was answered with. */
export function ask(s: State, findings: readonly Finding[]): State {
  const asked = findings.map((finding) => ({ finding, about: s.doc, asked: true }));
  const again = (d: Doubt): boolean => findings.some((f) => about(override(d.finding, ""), f));
  return { ...s, doubts: [...asked, ...s.doubts.filter((d) => !again(d))] };
}

/** Replaces the document as one step that undo takes back. */
export function change(s: State, doc: Doc, selected: string | null = s.selected): State {
  return settle({ ...s, doc, selected, past: [...s.past, s.doc].slice(-depth), future: [] });
}

/** Drops a selection that has gone. */
const settle = (s: State): State => (s.selected !== null && !find(s, s.selected) ? { ...s, selected: null } : s);

export const find = (s: State, id: string): Obj | undefined => s.doc.objects.find((o) => o.id === id);

export const select = (s: State, id: string | null): State => settle({ ...s, selected: id });

export function undo(s: State): State {
  const doc = s.past.at(-1);
  return doc ? settle({ ...s, doc, past: s.past.slice(0, -1), future: [s.doc, ...s.future] }) : s;
}

export function redo(s: State): State {
  const [doc, ...future] = s.future;
  return doc ? settle({ ...s, doc, past: [...s.past, s.doc], future }) : s;
}

/** The first of h1, h2, … that no object has or had in the original: a new object must not take over an old one's losses. */
function freshID(s: State): string {
  const taken = new Set([...s.doc.objects, ...s.original.objects].map((o) => o.id));
  for (let i = 1; ; i++) if (!taken.has(`h${i}`)) return `h${i}`;
}

/** Adds and selects a box. One too small to be meant leaves the state as it is. */
export function add(s: State, box: Box, cls: string): State {
  const b = clip(box, s.size);
  if (b.x2 - b.x1 < smallest || b.y2 - b.y1 < smallest) return s;
  const id = freshID(s);
  return change(s, { ...s.doc, objects: [...s.doc.objects, { id, class: cls, box: b, source: "" }] }, id);
}

export function remove(s: State, id: string): State {
  if (!find(s, id)) return s;
  return change(s, {
    objects: s.doc.objects.filter((o) => o.id !== id),
    overrides: s.doc.overrides.filter((v) => v.object_id !== id),
  });
}

/** Makes another label of an object; what was kept in spite of findings was the label as it was. */
function replace(s: State, id: string, make: (o: Obj) => Obj): State {
  const objects = s.doc.objects.map((o) => (o.id === id ? make(o) : o));
  return change(s, { objects, overrides: s.doc.overrides.filter((v) => v.object_id !== id) }, id);
}

export function setBox(s: State, id: string, box: Box): State {
  const o = find(s, id);
  const b = clip(box, s.size);
  if (!o || equal(o.box, b) || b.x2 - b.x1 < smallest || b.y2 - b.y1 < smallest) return s;
  return replace(s, id, (old) => ({ ...old, box: b }));
}

/** Gives an object another class; attributes are of a class, so they go. */
export function setClass(s: State, id: string, cls: string): State {
  const name = cls.trim();
  const o = find(s, id);
  return !o || name === "" || o.class === name ? s : replace(s, id, ({ attributes: _, ...old }) => ({ ...old, class: name, refine: false }));
}

/** Sets an attribute; an empty value takes it away. */
export function setAttribute(s: State, id: string, name: string, value: string): State {
  const o = find(s, id);
  if (!o || (o.attributes?.[name] ?? "") === value) return s;
  return replace(s, id, (old) => {
    const { [name]: _, ...others } = old.attributes ?? {};
    return { ...old, attributes: value === "" ? others : { ...others, [name]: value } };
  });
}

/** Whether a finding is about a label that is missing. */
const lacking = (f: Finding): boolean => f.type === "missing" || (f.type === "twin" && !f.object_id);

/** Whether what a finding suggests is to delete its label. */
const removes = (f: Finding): boolean =>
  f.type === "spurious" || f.type === "duplicate" || ((f.type === "degenerate" || f.type === "twin") && !f.fix && !f.fix_class);

/** What a finding's Fix would do, for its button; null when it suggests nothing. */
export function fixName(s: State, f: Finding): string | null {
  if (lacking(f)) return f.class ? `Add ${f.class}` : "Add box";
  if (!f.object_id || !find(s, f.object_id)) return null;
  if (removes(f)) return "Delete box";
  if (f.fix_class) return `Make it ${f.fix_class}`;
  return f.fix ? "Use suggested box" : null;
}

export function applyFix(s: State, f: Finding, fallbackClass: string): State {
  if (fixName(s, f) === null) return s;
  if (lacking(f)) return add(s, f.fix ?? f.box, f.class || fallbackClass);
  const id = f.object_id ?? "";
  if (removes(f)) return remove(s, id);
  return f.fix_class ? setClass(s, id, f.fix_class) : setBox(s, id, f.fix ?? f.box);
}

const override = (f: Finding, reason: string): Override => ({
  type: f.type, ...(f.object_id ? { object_id: f.object_id } : {}), ...(f.class ? { class: f.class } : {}), box: f.box, why: f.why, reason,
});

/** Whether an override is about a finding, as schemas/override.go has it. */
function about(v: Override, f: Finding): boolean {
  if (v.type !== f.type || (v.object_id ?? "") !== (f.object_id ?? "")) return false;
  if (v.type !== "rule" && v.object_id) return true;
  if (v.type !== "rule" && v.box && area(v.box) > 0) return (v.class ?? "") === (f.class ?? "") && iou(v.box, f.box) >= 0.5;
  return (v.why || v.reason) === f.why;
}

/** Keeps the label in spite of the finding, for a reason. */
export function keep(s: State, f: Finding, reason: string): State {
  return change(s, { ...s.doc, overrides: [...doubted(s.doc, f), override(f, reason)] });
}

/** Takes back that the label is kept. */
export function doubtAgain(s: State, f: Finding): State {
  return change(s, { ...s.doc, overrides: doubted(s.doc, f) });
}

const doubted = (doc: Doc, f: Finding): Override[] => doc.overrides.filter((v) => !about(v, f));

/** Where a finding stands: kept by the person, fixed by an edit, or open. */
export function standing(s: State, d: Doubt): "open" | "kept" | "fixed" {
  const f = d.finding;
  if (s.doc.overrides.some((v) => about(v, f))) return "kept";
  if (lacking(f)) {
    const fresh = s.doc.objects.filter((o) => !d.about.objects.some((old) => old.id === o.id));
    return fresh.some((o) => iou(o.box, f.box) > 0.5) ? "fixed" : "open";
  }
  if (f.object_id === undefined) return s.doc.objects === d.about.objects ? "open" : "fixed";
  const was = d.about.objects.find((o) => o.id === f.object_id);
  const now = s.doc.objects.find((o) => o.id === f.object_id);
  return was && now && was.class === now.class && was.attributes === now.attributes && equal(was.box, now.box) ? "open" : "fixed";
}

/** Whether a person may keep the label in spite of a finding: not where it breaks a rule of severity error, which the desk refuses (schemas/finding.go, Certain). */
export const keepable = (s: State, d: Doubt): boolean => standing(s, d) === "open" && !(d.finding.type === "rule" && d.finding.score >= 1);

/** What is sent to the desk. */
export function annotation(s: State): Annotation {
  return { objects: s.doc.objects, overrides: s.doc.overrides };
}

export const edited = (s: State): boolean => s.doc !== s.original;
