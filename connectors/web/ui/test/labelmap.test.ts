import assert from "node:assert/strict";
import test from "node:test";
import golden from "../../../../schemas/labelmap/testdata/labelmap2.json";
import { decode, sample, warmUp } from "../src/labelmap";

const bytes = (hex: string): Uint8Array => Uint8Array.from(hex.match(/../g) ?? [], (b) => parseInt(b, 16));

for (const g of golden) {
  test(`golden map: ${g.name}`, () => {
    const m = decode(bytes(g.bytes));
    assert.deepEqual([m.w, m.h], [g.w, g.h]);
    assert.deepEqual(Array.from(m.labels), g.labels);
    assert.deepEqual(m.levels.map((l) => Array.from(l)), g.levels);
  });
}

test("what warms the decoder up is a golden map, and ends", () => {
  assert.equal(sample, Buffer.from(golden.find((g) => g.name === "levels")?.bytes ?? "", "hex").toString("base64"));
  const idle: (() => void)[] = [];
  const scope = globalThis as { requestIdleCallback?: unknown };
  scope.requestIdleCallback = (fn: () => void) => idle.push(fn);
  try {
    warmUp(3);
    for (let i = 0; i < idle.length; i++) idle[i]?.();
    assert.ok(idle.length >= 1 && idle.length <= 3);
  } finally {
    delete scope.requestIdleCallback;
  }
});

test("bytes of strangers end in an error or a map", () => {
  const whole = bytes(golden.find((g) => g.name === "levels")?.bytes ?? "");
  for (let n = 0; n < whole.length; n++) assert.throws(() => decode(whole.subarray(0, n)), Error, `the first ${n} bytes`);
  let seed = 1;
  const random = (n: number): number => (seed = (seed * 48271) % 2147483647) % n;
  for (let i = 0; i < 2000; i++) {
    const b = whole.slice();
    for (let k = 0; k <= random(3); k++) b[7 + random(b.length - 7)] = random(256);
    try {
      const m = decode(b);
      assert.deepEqual([m.w, m.h, m.labels.length], [48, 32, 48 * 32]);
    } catch (err) {
      assert.match(String(err), /label map/);
    }
  }
});

test("a few bytes that claim millions of pixels end before these are made", () => {
  const cut = Uint8Array.of(0x47, 0x4c, 0x4d, 2, 0x80, 0x80, 0x80, 2, 1, 0); // zeros past the end make regions of one pixel
  const before = process.memoryUsage().heapUsed;
  assert.throws(() => decode(cut), /cut off/);
  assert.ok(process.memoryUsage().heapUsed - before < 4 << 20);
});

test("a map larger than its image is refused before it is read", () => {
  const huge = Uint8Array.of(0x47, 0x4c, 0x4d, 2, 0x80, 0x80, 1, 0x80, 0x80, 1, 0, 0);
  assert.throws(() => decode(huge), /16384 × 16384/);
  const whole = bytes(golden.find((g) => g.name === "levels")?.bytes ?? "");
  assert.throws(() => decode(whole, 48 * 31), /48 × 32/);
});
