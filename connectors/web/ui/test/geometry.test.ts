import assert from "node:assert/strict";
import test from "node:test";
import { drag, fromCorners, handleAt, iou, show, smallestAt, toImage, toScreen, zoomAt, type Handle } from "../src/geometry";

const size = { w: 100, h: 50 };
const box = { x1: 10, y1: 10, x2: 40, y2: 30 };

test("a box is drawn from any corner and cut to the image", () => {
  const want = { x1: 90, y1: 0, x2: 100, y2: 20 };
  assert.deepEqual(fromCorners({ x: 90, y: 20 }, { x: 130, y: -5 }, size), want);
  assert.deepEqual(fromCorners({ x: 130, y: -5 }, { x: 90, y: 20 }, size), want);
});

test("moving keeps the size and stays inside", () => {
  assert.deepEqual(drag(box, "move", 1000, -1000, size), { x1: 70, y1: 0, x2: 100, y2: 20 });
});

test("each handle moves its own edges only", () => {
  const want: Record<Handle, typeof box> = {
    n: { ...box, y1: 12 }, s: { ...box, y2: 32 }, w: { ...box, x1: 11 }, e: { ...box, x2: 41 },
    nw: { ...box, x1: 11, y1: 12 }, ne: { ...box, x2: 41, y1: 12 }, sw: { ...box, x1: 11, y2: 32 }, se: { ...box, x2: 41, y2: 32 },
    move: { x1: 11, y1: 12, x2: 41, y2: 32 },
  };
  for (const [handle, to] of Object.entries(want)) assert.deepEqual(drag(box, handle as Handle, 1, 2, size), to, handle);
});

test("an edge dragged past the other flips the box", () => {
  assert.deepEqual(drag(box, "e", -35, 0, size), { x1: 5, y1: 10, x2: 10, y2: 30 });
});

test("handles are found by corner, edge and inside", () => {
  const at = (x: number, y: number): Handle | null => handleAt(box, { x, y }, 3);
  assert.deepEqual([at(9, 9), at(41, 31), at(25, 11), at(25, 29), at(11, 20), at(39, 20), at(25, 20), at(50, 20)], ["nw", "se", "n", "s", "w", "e", "move", null]);
  const tiny = { x1: 10, y1: 10, x2: 12, y2: 12 };
  assert.equal(handleAt(tiny, { x: 10, y: 10 }, 5), "nw");
  assert.equal(handleAt(tiny, { x: 12, y: 12 }, 5), "se");
});

test("the smallest box under the pointer is hit", () => {
  const boxes = [{ x1: 0, y1: 0, x2: 100, y2: 50 }, box];
  assert.deepEqual([smallestAt(boxes, { x: 20, y: 20 }), smallestAt(boxes, { x: 90, y: 40 }), smallestAt(boxes, { x: 100, y: 40 })], [1, 0, -1]);
});

test("overlap", () => {
  assert.equal(iou(box, box), 1);
  assert.equal(iou(box, { x1: 40, y1: 10, x2: 50, y2: 30 }), 0);
  assert.equal(iou({ x1: 0, y1: 0, x2: 2, y2: 2 }, { x1: 1, y1: 0, x2: 3, y2: 2 }), 1 / 3);
  assert.equal(iou({ x1: 0, y1: 0, x2: 0, y2: 0 }, { x1: 0, y1: 0, x2: 0, y2: 0 }), 0);
});

test("views map there and back, fit, and zoom about a point", () => {
  const v = show({ x1: 0, y1: 0, x2: 100, y2: 50 }, { w: 420, h: 420 }, 10, 8);
  assert.equal(v.scale, 4);
  assert.deepEqual(toScreen(v, { x1: 0, y1: 0, x2: 100, y2: 50 }), { x1: 10, y1: 110, x2: 410, y2: 310 });
  assert.deepEqual(toImage(v, { x: 210, y: 210 }), { x: 50, y: 25 });
  const p = { x: 111, y: 222 };
  const before = toImage(v, p);
  const after = toImage(zoomAt(v, p, 1.7), p);
  assert.ok(Math.abs(before.x - after.x) < 1e-9 && Math.abs(before.y - after.y) < 1e-9);
  assert.equal(show({ x1: 0, y1: 0, x2: 5, y2: 5 }, { w: 0, h: 0 }, 10, 8).scale, 1, "a window without size");
});
