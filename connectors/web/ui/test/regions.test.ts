import assert from "node:assert/strict";
import test from "node:test";
import { Regions, type Patch } from "../src/regions";

const map = {
  w: 4,
  h: 3,
  labels: Uint16Array.of(
    0, 0, 1, 1,
    0, 2, 2, 1,
    3, 3, 2, 2,
  ),
  levels: [Uint16Array.of(0, 1, 1, 0), Uint16Array.of(0, 0)],
};

const rows = (p: Patch): string[] =>
  Array.from({ length: p.h }, (_, y) => Array.from(p.pixels.subarray(y * p.w, (y + 1) * p.w), (v) => (v === 0 ? "." : "x")).join(""));

test("borders are those of the level", () => {
  const r = new Regions(map);
  assert.deepEqual(r.counts, [4, 2, 1]);
  assert.deepEqual(rows(r.borders()), [".xx.", "xxxx", ".x.."]);
  r.setLevel(1);
  assert.deepEqual(rows(r.borders()), [".x..", "xx..", ".x.."]);
  r.setLevel(2);
  assert.deepEqual(rows(r.borders()), ["....", "....", "...."]);
});

test("the region under the pointer is that of the level, and is tinted whole", () => {
  const r = new Regions(map);
  assert.deepEqual([r.find({ x: 1.9, y: 1.2 }), r.find({ x: 4, y: 0 }), r.find({ x: 0, y: -0.1 })], [2, -1, -1]);
  const finest = r.highlight(2);
  assert.deepEqual([finest.x, finest.y, ...rows(finest)], [1, 1, "xx.", ".xx"]);
  r.setLevel(1);
  assert.equal(r.find({ x: 1.9, y: 1.2 }), 1);
  const coarse = r.highlight(1);
  assert.deepEqual([coarse.x, coarse.y, ...rows(coarse)], [1, 0, ".xx", "xxx", ".xx"]);
});

test("a level beyond what there is becomes the nearest", () => {
  const r = new Regions(map);
  r.setLevel(9);
  assert.equal(r.level, 2);
  r.setLevel(-1);
  assert.equal(r.level, 0);
});
