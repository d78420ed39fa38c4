import assert from "node:assert/strict";
import test from "node:test";
import * as edit from "../src/state";
import type { Finding } from "../src/types";

const size = { w: 100, h: 50 };
const car = { id: "o1", class: "car", box: { x1: 10, y1: 10, x2: 40, y2: 30 }, score: 0.5, source: "m@1" };
const bus = { id: "o2", class: "bus", box: { x1: 50, y1: 10, x2: 120, y2: 30 }, source: "m@1" };
const begin = (): edit.State => edit.start(edit.toDoc({ objects: [car, bus] }, size), null, size);

test("boxes of the task are cut to the image", () => {
  assert.deepEqual(begin().doc.objects[1]?.box, { x1: 50, y1: 10, x2: 100, y2: 30 });
});

test("every change is undone and redone exactly, in any mix", () => {
  let seed = 7;
  const dice = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  let s = begin();
  const seen = [JSON.stringify(s.doc)];
  for (let i = 0; i < 100; i++) {
    const ids = s.doc.objects.map((o) => o.id);
    const id = ids[dice(Math.max(ids.length, 1))] ?? "none";
    const x = dice(80);
    const b = { x1: x, y1: dice(20), x2: x + 5 + dice(30), y2: 25 + dice(30) };
    const before = s;
    s = [edit.add(s, b, "dog"), edit.remove(s, id), edit.setBox(s, id, b), edit.setClass(s, id, `c${dice(3)}`)][dice(4)] ?? s;
    if (s !== before) seen.push(JSON.stringify(s.doc));
  }
  for (let i = seen.length - 2; i >= 0; i--) assert.equal(JSON.stringify((s = edit.undo(s)).doc), seen[i]);
  assert.equal(edit.undo(s), s, "nothing is left to undo");
  for (let i = 1; i < seen.length; i++) assert.equal(JSON.stringify((s = edit.redo(s)).doc), seen[i]);
  assert.equal(edit.redo(s), s, "nothing is left to redo");
});

test("a change after undo drops what was undone", () => {
  const s = edit.remove(edit.undo(edit.remove(begin(), "o1")), "o2");
  assert.deepEqual([s.future, s.doc.objects.map((o) => o.id)], [[], ["o1"]]);
});

test("a class that a person names needs no refining", () => {
  const vague: edit.State = { ...begin(), doc: { objects: [{ ...car, class: "vehicle", refine: true }], overrides: [] } };
  assert.equal(edit.setBox(vague, "o1", { x1: 1, y1: 1, x2: 40, y2: 40 }).doc.objects[0]?.refine, true);
  assert.equal(edit.setClass(vague, "o1", "car").doc.objects[0]?.refine, false);
});

test("what changes nothing is no step of undo", () => {
  const s = begin();
  assert.equal(edit.setClass(s, "o1", " car "), s);
  assert.equal(edit.setClass(s, "o1", "  "), s);
  assert.equal(edit.setBox(s, "o1", car.box), s);
  assert.equal(edit.setBox(s, "o1", { x1: 10, y1: 10, x2: 11, y2: 30 }), s, "too thin to be meant");
  assert.equal(edit.add(s, { x1: 99, y1: 1, x2: 140, y2: 40 }, "car"), s, "outside but for a sliver");
  assert.equal(edit.remove(s, "o9"), s);
});

test("ids of new boxes are never those of old ones", () => {
  let s = edit.start(edit.toDoc({ objects: [{ ...car, id: "h1" }] }, size), null, size);
  s = edit.remove(s, "h1");
  s = edit.add(s, { x1: 1, y1: 1, x2: 9, y2: 9 }, "car");
  assert.deepEqual([s.doc.objects.map((o) => o.id), s.selected], [["h2"], "h2"]);
});

test("a selection that has gone is let go", () => {
  let s = edit.select(begin(), "o1");
  s = edit.remove(s, "o1");
  assert.equal(s.selected, null);
  assert.equal(edit.select(s, "o1").selected, null);
});

const finding = (f: Partial<Finding>): Finding => ({ type: "loss", box: car.box, score: 0.5, why: "w", ...f });

test("fixes do what their buttons say", () => {
  const fix = { x1: 12, y1: 12, x2: 38, y2: 28 };
  const cases: [Finding, string | null, (s: edit.State) => unknown, unknown][] = [
    [finding({ type: "missing", class: "dog", box: fix }), "Add dog", (s) => s.doc.objects[2]?.class, "dog"],
    [finding({ type: "spurious", object_id: "o1", fix }), "Delete box", (s) => s.doc.objects.length, 1],
    [finding({ type: "duplicate", object_id: "o1" }), "Delete box", (s) => s.doc.objects.length, 1],
    [finding({ type: "location", object_id: "o1", fix }), "Use suggested box", (s) => s.doc.objects[0]?.box, fix],
    [finding({ type: "degenerate", object_id: "o1" }), "Delete box", (s) => s.doc.objects.length, 1],
    [finding({ type: "degenerate", object_id: "o1", fix }), "Use suggested box", (s) => s.doc.objects[0]?.box, fix],
    [finding({ type: "loss", object_id: "o1" }), null, (s) => s.doc.objects.length, 2],
    [finding({ type: "spurious", object_id: "gone" }), null, (s) => s.doc.objects.length, 2],
  ];
  for (const [f, name, look, want] of cases) {
    const s = begin();
    assert.equal(edit.fixName(s, f), name, f.type);
    const after = edit.applyFix(s, f, "car");
    assert.deepEqual(look(after), want, f.type);
    if (name !== null) {
      assert.equal(edit.standing(s, f), "open", f.type);
      assert.equal(edit.standing(after, f), "fixed", f.type);
      assert.equal(edit.standing(edit.undo(after), f), "open", f.type);
    }
  }
});

test("keeping a label is an override, taken back by a second press, and goes with its object", () => {
  const f = finding({ object_id: "o1", why: "the model disagrees" });
  const kept = edit.toggleKeep(begin(), f);
  assert.deepEqual(edit.annotation(kept).overrides, [{ type: "loss", object_id: "o1", reason: "the model disagrees" }]);
  assert.equal(edit.standing(kept, f), "kept");
  assert.equal(edit.standing(edit.toggleKeep(kept, f), f), "open");
  assert.deepEqual(edit.annotation(edit.remove(kept, "o1")).overrides, []);
});

test("of two rules that an object breaks one is kept alone, and an attribute mends", () => {
  const a = finding({ type: "rule", object_id: "o1", why: "too small" });
  const b = finding({ type: "rule", object_id: "o1", why: "no color" });
  const kept = edit.toggleKeep(begin(), a);
  assert.deepEqual([edit.standing(kept, a), edit.standing(kept, b)], ["kept", "open"]);
  const red = edit.setAttribute(begin(), "o1", "color", "red");
  assert.deepEqual([red.doc.objects[0]?.attributes, edit.standing(red, b)], [{ color: "red" }, "fixed"]);
  assert.equal(edit.setAttribute(red, "o1", "color", "red"), red);
  assert.deepEqual(edit.setAttribute(red, "o1", "color", "").doc.objects[0]?.attributes, {});
});

test("a rule about the image is open until a box changes", () => {
  const f = finding({ type: "rule", why: "no dog" });
  assert.equal(edit.standing(begin(), f), "open");
  assert.equal(edit.standing(edit.remove(begin(), "o1"), f), "fixed");
});

test("two places where something is missing are kept one by one", () => {
  const a = finding({ type: "missing", why: "a car at the left" });
  const b = finding({ type: "missing", why: "a car at the right" });
  const s = edit.toggleKeep(begin(), a);
  assert.deepEqual([edit.standing(s, a), edit.standing(s, b)], ["kept", "open"]);
});

test("a draft is what is edited, the original is what findings are about", () => {
  const original = edit.toDoc({ objects: [car] }, size);
  const s = edit.start(original, edit.toDoc({ objects: [] }, size), size);
  assert.equal(edit.edited(s), true);
  assert.equal(edit.standing(s, finding({ type: "spurious", object_id: "o1" })), "fixed");
});
