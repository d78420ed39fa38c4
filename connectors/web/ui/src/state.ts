// The editor's state and every change that a person can make to it, as pure functions from state to state. Undo is a list of
// earlier documents, which share what they have in common.

import { clip, equal, iou, type Box, type Size } from "./geometry";
import type { Annotation, Finding, Obj, Override } from "./types";

export interface Doc {
  readonly objects: readonly Obj[];
  readonly overrides: readonly Override[];
}

export interface State {
  readonly size: Size; // of the image, pixels
  readonly original: Doc; // as the task came; findings are about it
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

export function start(original: Doc, draft: Doc | null, size: Size): State {
  return { size, original, doc: draft ?? original, selected: null, past: [], future: [] };
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

function replace(s: State, id: string, make: (o: Obj) => Obj): State {
  return change(s, { ...s.doc, objects: s.doc.objects.map((o) => (o.id === id ? make(o) : o)) }, id);
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

/** What a finding's Fix would do, for its button; null when it suggests nothing. */
export function fixName(s: State, f: Finding): string | null {
  if (f.type === "missing") return f.class ? `Add ${f.class}` : "Add box";
  if (!f.object_id || !find(s, f.object_id)) return null;
  if (f.type === "spurious" || f.type === "duplicate" || (f.type === "degenerate" && !f.fix)) return "Delete box";
  return f.fix ? "Use suggested box" : null;
}

export function applyFix(s: State, f: Finding, fallbackClass: string): State {
  if (fixName(s, f) === null) return s;
  if (f.type === "missing") return add(s, f.fix ?? f.box, f.class || fallbackClass);
  const id = f.object_id ?? "";
  return f.fix && f.type !== "spurious" && f.type !== "duplicate" ? setBox(s, id, f.fix) : remove(s, id);
}

/** Findings without an object, and those of rules, are told apart by their sentence, which is the reason of their override. */
const about = (v: Override, f: Finding): boolean =>
  v.type === f.type && (v.object_id ?? "") === (f.object_id ?? "") && ((f.object_id !== undefined && f.type !== "rule") || v.reason === f.why);

/** Keeps the label in spite of the finding, or takes that back. */
export function toggleKeep(s: State, f: Finding): State {
  if (s.doc.overrides.some((v) => about(v, f))) {
    return change(s, { ...s.doc, overrides: s.doc.overrides.filter((v) => !about(v, f)) });
  }
  const v: Override = f.object_id ? { type: f.type, object_id: f.object_id, reason: f.why } : { type: f.type, reason: f.why };
  return change(s, { ...s.doc, overrides: [...s.doc.overrides, v] });
}

/** Where a finding stands: kept by the person, fixed by an edit, or open. */
export function standing(s: State, f: Finding): "open" | "kept" | "fixed" {
  if (s.doc.overrides.some((v) => about(v, f))) return "kept";
  if (f.type === "missing") {
    const fresh = s.doc.objects.filter((o) => !s.original.objects.some((old) => old.id === o.id));
    return fresh.some((o) => iou(o.box, f.box) > 0.5) ? "fixed" : "open";
  }
  if (f.object_id === undefined) return s.doc.objects === s.original.objects ? "open" : "fixed";
  const was = s.original.objects.find((o) => o.id === f.object_id);
  const now = s.doc.objects.find((o) => o.id === f.object_id);
  return was && now && was.class === now.class && was.attributes === now.attributes && equal(was.box, now.box) ? "open" : "fixed";
}

/** What is sent to the desk. */
export function annotation(s: State): Annotation {
  return { objects: s.doc.objects, overrides: s.doc.overrides };
}

export const edited = (s: State): boolean => s.doc !== s.original;
