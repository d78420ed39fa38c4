import assert from "node:assert/strict";
import test from "node:test";
import * as edit from "../src/state";
import type { Finding } from "../src/types";

const size = { w: 100, h: 50 };
const car = { id: "o1", class: "car", box: { x1: 10, y1: 10, x2: 40, y2: 30 }, score: 0.5, source: "m@1" };
const bus = { id: "o2", class: "bus", box: { x1: 50, y1: 10, x2: 120, y2: 30 }, source: "m@1" };
const begin = (...findings: Finding[]): edit.State => edit.start({ objects: [car, bus] }, findings, null, size);

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
  let s = edit.start({ objects: [{ ...car, id: "h1" }] }, [], null, size);
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

/** Where each of a state's findings stands, in the order of the list. */
const standings = (s: edit.State): string => s.doubts.map((d) => edit.standing(s, d)).join();

test("fixes do what their buttons say", () => {
  const fix = { x1: 12, y1: 12, x2: 38, y2: 28 };
  const cases: [Finding, string | null, (s: edit.State) => unknown, unknown][] = [
    [finding({ type: "missing", class: "dog", box: fix }), "Add dog", (s) => s.doc.objects[2]?.class, "dog"],
    [finding({ type: "spurious", object_id: "o1", fix }), "Delete box", (s) => s.doc.objects.length, 1],
    [finding({ type: "duplicate", object_id: "o1" }), "Delete box", (s) => s.doc.objects.length, 1],
    [finding({ type: "location", object_id: "o1", fix }), "Use suggested box", (s) => s.doc.objects[0]?.box, fix],
    [finding({ type: "swap", object_id: "o1", class: "car", fix_class: "truck" }), "Make it truck", (s) => s.doc.objects[0]?.class, "truck"],
    [finding({ type: "swap", object_id: "o1", class: "car" }), null, (s) => s.doc.objects[0]?.class, "car"],
    [finding({ type: "degenerate", object_id: "o1" }), "Delete box", (s) => s.doc.objects.length, 1],
    [finding({ type: "degenerate", object_id: "o1", fix }), "Use suggested box", (s) => s.doc.objects[0]?.box, fix],
    [finding({ type: "twin", class: "dog", box: fix, fix, fix_class: "dog" }), "Add dog", (s) => s.doc.objects[2]?.class, "dog"],
    [finding({ type: "twin", object_id: "o1", class: "car", fix_class: "truck" }), "Make it truck", (s) => s.doc.objects[0]?.class, "truck"],
    [finding({ type: "twin", object_id: "o1", fix }), "Use suggested box", (s) => s.doc.objects[0]?.box, fix],
    [finding({ type: "twin", object_id: "o1" }), "Delete box", (s) => s.doc.objects.length, 1],
    [finding({ type: "loss", object_id: "o1" }), null, (s) => s.doc.objects.length, 2],
    [finding({ type: "spurious", object_id: "gone" }), null, (s) => s.doc.objects.length, 2],
  ];
  for (const [f, name, look, want] of cases) {
    const s = begin(f);
    assert.equal(edit.fixName(s, f), name, f.type);
    const after = edit.applyFix(s, f, "car");
    assert.deepEqual(look(after), want, f.type);
    if (name !== null) {
      assert.equal(standings(s), "open", f.type);
      assert.equal(standings(after), "fixed", f.type);
      assert.equal(standings(edit.undo(after)), "open", f.type);
    }
  }
});

test("keeping a label is an override with a reason, taken back by a second press, and goes with the label as it was", () => {
  const f = finding({ object_id: "o1", class: "car", why: "the model disagrees" });
  const kept = edit.keep(begin(f), f, "seen from behind");
  const want = { type: "loss", object_id: "o1", class: "car", box: car.box, why: "the model disagrees", reason: "seen from behind" };
  assert.deepEqual(edit.annotation(kept).overrides, [want]);
  assert.equal(standings(kept), "kept");
  assert.equal(standings(edit.doubtAgain(kept, f)), "open");
  assert.deepEqual(edit.annotation(edit.keep(kept, f, "once more")).overrides, [{ ...want, reason: "once more" }]);
  assert.deepEqual(edit.annotation(edit.remove(kept, "o1")).overrides, []);
  assert.deepEqual(edit.annotation(edit.setClass(kept, "o1", "bus")).overrides, []);
  assert.equal(edit.annotation(edit.setClass(kept, "o2", "car")).overrides?.length, 1);
});

test("of two rules that an object breaks one is kept alone, and an attribute mends", () => {
  const a = finding({ type: "rule", object_id: "o1", why: "too small" });
  const b = finding({ type: "rule", object_id: "o1", why: "no color" });
  assert.equal(standings(edit.keep(begin(a, b), a, "it is far")), "kept,open");
  const red = edit.setAttribute(begin(b), "o1", "color", "red");
  assert.deepEqual([red.doc.objects[0]?.attributes, standings(red)], [{ color: "red" }, "fixed"]);
  assert.equal(edit.setAttribute(red, "o1", "color", "red"), red);
  assert.deepEqual(edit.setAttribute(red, "o1", "color", "").doc.objects[0]?.attributes, {});
});

test("what breaks a rule that the desk enforces cannot be kept, and what breaks one that warns can", () => {
  const s = begin(finding({ type: "rule", object_id: "o1", score: 1 }), finding({ type: "rule", object_id: "o1" }), finding({ score: 1 }));
  assert.equal(s.doubts.map((d) => edit.keepable(s, d)).join(), "false,true,true");
});

test("a rule about the image is open until a box changes", () => {
  const s = begin(finding({ type: "rule", why: "no dog" }));
  assert.equal(standings(s), "open");
  assert.equal(standings(edit.remove(s, "o1")), "fixed");
});

test("two places where something is missing are kept one by one, wherever exactly the model sees them", () => {
  const a = finding({ type: "missing", class: "car" });
  const b = finding({ type: "missing", class: "car", box: bus.box });
  const s = edit.keep(begin(a, b), { ...a, box: { ...a.box, x2: a.box.x2 + 1 } }, "a mirror");
  assert.equal(standings(s), "kept,open");
});

test("a draft is what is edited, the original is what the task's findings are about", () => {
  const f = finding({ type: "spurious", object_id: "o1" });
  const s = edit.start({ objects: [car] }, [f], { objects: [] }, size);
  assert.equal(edit.edited(s), true);
  assert.equal(standings(s), "fixed");
});

test("what a submission is answered with is about what was submitted, comes first, and comes back with the draft", () => {
  const shown = finding({ object_id: "o1" });
  const wide = finding({ type: "loose", object_id: "o1" });
  let s = edit.setBox(begin(shown), "o1", { x1: 1, y1: 1, x2: 60, y2: 40 });
  s = edit.ask(s, [wide]);
  assert.equal(standings(s), "open,fixed");
  const mended = edit.setBox(s, "o1", car.box);
  assert.equal(standings(mended), "fixed,open", "the task's finding is about the box as it is again");
  s = edit.ask(mended, [wide]);
  assert.deepEqual([standings(s), s.doubts.length], ["open,open", 2], "asked again, it is about the box of now");
  const reloaded = edit.start({ objects: [car, bus] }, [shown], { ...edit.annotation(edit.keep(s, wide, "it is")), findings: [wide] }, size);
  assert.deepEqual([standings(reloaded), reloaded.doubts[0]?.asked], ["kept,open", true]);
});
