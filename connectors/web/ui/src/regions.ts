// Superpixels as the page shows them: the borders of one level of a label map, and the region under the pointer.

import type { Box, Point } from "./geometry";
import type { LabelMap } from "./labelmap";

const border = rgba(255, 214, 10, 140); // a color that photos seldom have
const tint = rgba(255, 214, 10, 70);

/** A picture whose upper left corner lies at x,y of the image: RGBA of w*h pixels, row-major. */
export interface Patch {
  x: number;
  y: number;
  w: number;
  h: number;
  pixels: Uint32Array<ArrayBuffer>;
}

export class Regions {
  readonly counts: readonly number[]; // of regions, finest level first
  private at = 0;
  private up: Uint16Array; // of each region of the finest level, the one of the current level
  private boxes: Int32Array | null = null; // x1, y1, x2, y2 of each region of the current level

  constructor(private readonly map: LabelMap) {
    this.counts = [map.labels, ...map.levels].map((ids) => 1 + ids.reduce((most, id) => Math.max(most, id), 0));
    this.up = this.ancestors(0);
  }

  get level(): number {
    return this.at;
  }

  /** Goes to a level, 0 the finest, or to the nearest that there is. */
  setLevel(level: number): void {
    this.at = Math.min(Math.max(level, 0), this.counts.length - 1);
    this.up = this.ancestors(this.at);
    this.boxes = null;
  }

  /** The region of the current level at a point of the image, -1 outside. */
  find(p: Point): number {
    const [x, y] = [Math.floor(p.x), Math.floor(p.y)];
    const { w, h, labels } = this.map;
    return x < 0 || y < 0 || x >= w || y >= h ? -1 : (this.up[labels[y * w + x] as number] as number);
  }

  /** The pixels whose right or lower neighbor belongs to another region: contours one pixel wide, the rest transparent. */
  borders(): Patch {
    const { w, h, labels } = this.map;
    const { up } = this;
    const pixels = new Uint32Array(w * h);
    for (let y = 0, i = 0; y < h; y++) {
      for (let x = 0; x < w; x++, i++) {
        const here = labels[i] as number;
        const right = x + 1 < w ? (labels[i + 1] as number) : here;
        const below = y + 1 < h ? (labels[i + w] as number) : here;
        if ((right !== here && up[right] !== up[here]) || (below !== here && up[below] !== up[here])) pixels[i] = border;
      }
    }
    return { x: 0, y: 0, w, h, pixels };
  }

  /** A tint over a region of the current level. */
  highlight(region: number): Patch {
    const b = this.box(region);
    const [w, h] = [b.x2 - b.x1, b.y2 - b.y1];
    const pixels = new Uint32Array(w * h);
    for (let y = 0, i = 0; y < h; y++) {
      const row = (b.y1 + y) * this.map.w + b.x1;
      for (let x = 0; x < w; x++, i++) {
        if (this.up[this.map.labels[row + x] as number] === region) pixels[i] = tint;
      }
    }
    return { x: b.x1, y: b.y1, w, h, pixels };
  }

  private ancestors(level: number): Uint16Array {
    const own = Uint16Array.from({ length: this.counts[0] ?? 0 }, (_, r) => r);
    return this.map.levels.slice(0, level).reduce((up, parents) => up.map((r) => parents[r] as number), own);
  }

  private box(region: number): Box {
    const { w, h, labels } = this.map;
    let b = this.boxes;
    if (!b) {
      this.boxes = b = new Int32Array(4 * (this.counts[this.at] as number));
      for (let i = 0; i < b.length; i += 4) b.set([w, h, 0, 0], i);
      for (let y = 0, i = 0; y < h; y++) {
        for (let x = 0; x < w; x++, i++) {
          const at = 4 * (this.up[labels[i] as number] as number);
          if (x < (b[at] as number)) b[at] = x;
          if (y < (b[at + 1] as number)) b[at + 1] = y;
          if (x >= (b[at + 2] as number)) b[at + 2] = x + 1;
          b[at + 3] = y + 1;
        }
      }
    }
    const [x1, y1, x2, y2] = b.subarray(4 * region, 4 * region + 4) as unknown as [number, number, number, number];
    return { x1, y1, x2, y2 };
  }
}

/** A pixel as ImageData lays it out in memory, on any machine. */
function rgba(r: number, g: number, b: number, a: number): number {
  return new Uint32Array(Uint8Array.of(r, g, b, a).buffer)[0] as number;
}
