// The decoder of label maps: schemas/labelmap describes the format, and its testdata is what both are tested on.

import { Coder, Models } from "./range_coder";

/** Which region each pixel belongs to, and the coarser levels that the regions merge into. */
export interface LabelMap {
  readonly w: number;
  readonly h: number;
  readonly labels: Uint16Array; // [h*w] row-major, the finest level
  readonly levels: readonly Uint16Array[]; // levels[i][r] is the region of level i+1 that region r of level i is part of
}

const maxPixels = 1 << 26;
const maxLevels = 16;
const maxRegions = 1 << 16;

/** Throws an Error when the bytes are not a label map of version 2. Memory is bounded by maxPixels, which may be given lower. */
export function decode(bytes: Uint8Array, pixels = maxPixels): LabelMap {
  if (bytes[0] !== 0x47 || bytes[1] !== 0x4c || bytes[2] !== 0x4d || bytes[3] !== 2) throw new Error("not a label map of version 2");
  let at = 4;
  const varint = (): number => {
    for (let v = 0, scale = 1; scale < 2 ** 35; scale *= 128) {
      const b = bytes[at++];
      if (b === undefined) throw truncated();
      v += (b & 127) * scale;
      if (b < 128) return v;
    }
    throw new Error("a number in the header is too large");
  };
  const [w, h, levels] = [varint(), varint(), varint()];
  if (w === 0 || h === 0 || w * h > Math.min(pixels, maxPixels)) throw new Error(`label map of ${w} × ${h} pixels`);
  if (levels > maxLevels) throw new Error(`label map of ${levels} levels`);

  const coder = new Coder(bytes.subarray(at));
  const contours = new Contours(coder, w, h);
  contours.walk();
  const { ids, n } = contours.ids();
  const map = { w, h, labels: contours.paint(ids), levels: [] as Uint16Array[] };
  for (let i = 0, regions = n, near = levels > 0 && n > 0 ? contours.neighbors(ids, n) : null; i < levels; i++) {
    if (!near) throw new Error("label map has levels above regions that are out of order");
    const parents = new Uint16Array(regions);
    regions = readParents(coder, parents, near);
    near = near.merge(parents, regions);
    map.levels.push(parents);
  }
  if (coder.overrun) throw truncated();
  return map;
}

const truncated = (): Error => new Error("label map is cut off");

/** How many bits it takes to write a number; 0 has none. */
const width = (v: number): number => 32 - Math.clz32(v);

const leans = 64;
const border = 6 * 8 + 6; // the lean of the border
const corner = 7; // in place of a shift: the level cracks began at a corner
const reach = 8; // columns that the distance of a corner is counted one by one

// Where the models of each question begin.
const askTop = 0;
const askSide = askTop + 1;
const askCorner = askSide + 3;
const askFarther = askCorner + 5 * leans;
const askTurn = askFarther + 8 * (reach - 1);
const askFork = askTurn + 3 * leans;
const askDown = askFork + 3;
const askOnward = askDown + 12 * 8;
const askLeave = askOnward + 2 * 6;
const askCross = askLeave + 2 * 6 * 3;
const askBoth = askCross + 2;
const questions = askBoth + 2;

/** The class of a shift to the right, or of one to the left. */
const rightward = (columns: number): number => Math.min(columns, 3);
const leftward = (columns: number): number => 3 + Math.min(columns, 3);

/** Walks down the rows and reads where regions meet. */
class Contours {
  private readonly models = new Models(questions);
  private readonly ends: number[] = []; // of all runs so far: the column after the last, and the piece
  private readonly runs: number[] = [];
  private readonly into: number[] = []; // of each piece: an earlier one that it is part of, or itself; at last, its component
  private above = 0; // the first run of the row above
  private lean: number[] = []; // of the cracks in the row above
  private leanHere: number[] = []; // of those in this row
  private piece = -1; // of the run that is being made, -1 when it has touched none yet

  constructor(
    private readonly coder: Coder,
    private readonly w: number,
    private readonly h: number,
  ) {}

  walk(): void {
    for (let y = 0; y < this.h; y++) {
      const from = this.ends.length;
      if (y === 0) this.top();
      else this.follow();
      this.close(this.w);
      this.above = from;
      [this.lean, this.leanHere] = [this.leanHere, this.lean];
      this.leanHere.length = 0;
      if (this.coder.overrun) throw truncated();
    }
  }

  private top(): void {
    for (let x = 1; x < this.w && !this.coder.overrun; x++) {
      if (this.ask(askTop)) this.crack(x, 0, 0);
    }
  }

  private follow(): void {
    let i = this.above; // the run above the last pixel, where it ends, and the lean of that crack
    let e = this.end(i);
    let lean = this.leanOf(i);
    const pass = (): void => {
      i++;
      e = this.end(i);
      lean = this.leanOf(i);
    };
    let level = this.ask(askSide + Math.min(e, 3) - 1);
    if (!level) this.touch(i);
    let from = 0; // how and where the level cracks began
    let start = 0;
    for (let x = 1; x < this.w && !this.coder.overrun; x++) {
      const last = lean & 7;
      const came = level;
      if (x < e && !level) {
        if (!this.ask(askCorner + leans * (Math.min(e - x, 5) - 1) + lean)) {
          x = e - 1;
          continue;
        }
        const d = this.distance(e - x, last);
        x = e - d;
        this.crack(x, last, leftward(d));
        level = true;
        from = corner;
        start = x;
        continue;
      }
      const length = Math.min(x - start, 6) - 1;
      const began = (from + 1) >> 3;
      if (x < e) {
        if (!this.ask(askDown + 12 * from + 2 * length + Math.min(e - x, 2) - 1)) continue;
        level = this.ask(askOnward + 6 * began + length);
        this.crack(x, from, rightward(x - start));
        from = 0;
      } else {
        const turn = askTurn + 3 * lean;
        pass();
        const gap = Math.min(e - x, 3) - 1;
        let down: boolean;
        if (came) {
          down = level = this.ask(askLeave + 18 * began + 3 * length + gap);
          if (level) {
            down = this.ask(askCross + began);
            level = !down || this.ask(askBoth + began);
          }
        } else {
          level = this.ask(turn + gap);
          down = !level || this.ask(askFork + gap);
        }
        if (down) this.crack(x, last, 0);
        from = last;
      }
      start = x;
      if (!level) this.touch(i);
    }
  }

  private ask(i: number): boolean {
    return this.coder.bit(this.models, i);
  }

  private distance(most: number, last: number): number {
    let d = 1;
    while (d < Math.min(most, reach) && this.ask(askFarther + 8 * (d - 1) + last)) d++;
    if (d === reach) d += this.coder.plain(width(most - d));
    if (d > most) throw new Error("label map has a contour that is too far to the left");
    return d;
  }

  private end(run: number): number {
    return this.ends[run] as number;
  }

  private leanOf(run: number): number {
    return this.lean[run - this.above] ?? border;
  }

  private crack(x: number, previous: number, last: number): void {
    this.close(x);
    this.leanHere.push(8 * previous + last);
  }

  private close(x: number): void {
    if (this.piece < 0) {
      this.piece = this.into.length;
      this.into.push(this.piece);
    }
    this.ends.push(x);
    this.runs.push(this.piece);
    this.piece = -1;
  }

  /** Links the run that is being made with one above it. */
  private touch(run: number): void {
    const p = this.runs[run] as number;
    if (this.piece < 0 || this.piece === p) {
      this.piece = p;
      return;
    }
    const [a, b] = [this.root(this.piece), this.root(p)];
    this.piece = Math.min(a, b);
    this.into[Math.max(a, b)] = this.piece;
  }

  private root(p: number): number {
    for (let up = this.into[p] as number; up !== p; up = this.into[p] as number) {
      this.into[p] = this.into[up] as number;
      p = up;
    }
    return p;
  }

  /** The id of each piece; n is how many regions there are if their ids are 0..n-1 in the order of first appearance, else 0. */
  ids(): { ids: Uint16Array; n: number } {
    let n = 0;
    this.into.forEach((p, i) => (this.into[i] = p === i ? n++ : (this.into[p] as number)));
    const regions = new Uint16Array(n); // of each component
    if (this.coder.plain(1) === 1) n = readParents(this.coder, regions, null);
    else if (n > maxRegions) throw new Error(`label map of ${n} regions`);
    else regions.forEach((_, i) => (regions[i] = i));
    const ids = Uint16Array.from(this.into, (component) => regions[component] as number);
    if (this.coder.plain(1) === 0) return { ids, n };
    const names = Uint16Array.from({ length: n }, () => this.coder.plain(16));
    return { ids: ids.map((region) => names[region] as number), n: 0 };
  }

  paint(ids: Uint16Array): Uint16Array {
    const labels = new Uint16Array(this.w * this.h);
    let row = 0;
    let x = 0;
    for (let i = 0; i < this.ends.length; i++) {
      const end = this.end(i);
      const id = ids[this.runs[i] as number] as number;
      for (; x < end; x++) labels[row + x] = id; // runs are too short for fill to pay
      if (end === this.w) {
        row += this.w;
        x = 0;
      }
    }
    return labels;
  }

  /** Which of n regions touch: run by run, first the run on the left, then those above. */
  neighbors(ids: Uint16Array, n: number): Neighbors {
    const near = new Neighbors(n);
    const region = (run: number): number => ids[this.runs[run] as number] as number;
    let above = -1; // the run above the start of run i, and where run i starts
    let from = 0;
    for (let i = 0; i < this.ends.length; i++) {
      const here = this.end(i);
      if (from > 0) near.add(region(i), region(i - 1));
      while (above >= 0) {
        near.add(region(i), region(above));
        const end = this.end(above);
        if (end <= here) above++;
        if (end >= here) break;
      }
      from = here;
      if (from === this.w) {
        from = 0;
        above = Math.max(above, 0);
      }
    }
    return near;
  }
}

const nearest = 8; // neighbors that are remembered of a region

/** Of each region, the first few that were found to touch it, of those that appeared before it. */
class Neighbors {
  private readonly list: Uint16Array;
  private readonly n: Uint8Array;

  constructor(regions: number) {
    this.list = new Uint16Array(nearest * regions);
    this.n = new Uint8Array(regions);
  }

  of(r: number): Uint16Array {
    return this.list.subarray(nearest * r, nearest * r + (this.n[r] as number));
  }

  add(a: number, b: number): void {
    if (a === b) return;
    const to = Math.max(a, b);
    const other = Math.min(a, b);
    const n = this.n[to] as number;
    const at = nearest * to;
    for (let i = 0; i < n; i++) if (this.list[at + i] === other) return;
    if (n === nearest) return;
    this.list[at + n] = other;
    this.n[to] = n + 1;
  }

  /** What touches on the next level of n regions. */
  merge(parents: Uint16Array, n: number): Neighbors {
    const up = new Neighbors(n);
    parents.forEach((p, r) => this.of(r).forEach((other) => up.add(p, parents[other] as number)));
    return up;
  }
}

/** Fills in what region of the next level each region is part of, and returns how many that level has. */
function readParents(coder: Coder, parents: Uint16Array, near: Neighbors | null): number {
  const models = new Models(nearest + 1);
  let n = 0;
  for (let r = 0; r < parents.length; r++) parents[r] = known(r) ?? next();
  return n;

  function known(r: number): number | undefined {
    const tried: number[] = [];
    for (const other of near?.of(r) ?? []) {
      const p = parents[other] as number;
      if (tried.includes(p)) continue;
      if (coder.bit(models, tried.length)) return p;
      tried.push(p);
    }
    return undefined;
  }

  function next(): number {
    if (coder.bit(models, nearest)) {
      if (n === maxRegions) throw new Error("label map has too many regions");
      return n++;
    }
    const p = coder.plain(width(Math.max(n - 1, 0)));
    if (p >= n) throw new Error(`label map refers to region ${p} of ${n}`);
    return p;
  }
}
