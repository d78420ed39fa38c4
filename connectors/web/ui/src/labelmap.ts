// The decoder of label maps: schemas/labelmap describes the format, and its testdata is what both are tested on.

import priors from "../../../../schemas/labelmap/priors.txt";
import { Coder, freshModels } from "./range_coder";

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
  if (!coder.finished) throw truncated();
  return map;
}

/** A map of 48x32 pixels with levels, in base64: the one of that name among the golden maps. */
export const sample =
  "R0xNAjAgAgazd7yT6yBQO9n/rMoowHK7Ov/zSDTvHTeRAAu15kbooe5Pk3PUSjhXWPbtETFNcOJuaNqyKmY3VYqsN38AJ+pmo2rQ0kKlx+Al+/abutUAsyBQ" +
  "OoqIsm0wKr/J7T6jgR8gdOkyiZ5El7L+hSav8quY5h+20FLcDUjV8dYIzOwiGfa6HuNUKYpBnFoiCusz9XmByqEhoEI/hFk+bn30eWEAwwIwQSymJ8lMR4dU" +
  "Sor6VY/Djh4RI1HWFkO9wjRAuq4gnMlJpPhlvg9PFFXSodAtFiGNM6VLmK934IkSEfCIPG7mhbqu731SDKcw6XY3gRr1wDSosdUfOuJsnRHzC4orxLprWxwY" +
  "utRbdrzgd6eHzLMEK+/rltF0xi8rYguAH87DB+AjNiQCI10kj7+q5W+wz1xP4GwBqo1GJT+VCe9G+9G2gSHyJRoATjF8CucvL8J3DTekuNqWDIvQWV91vqwC" +
  "VKkfJvp1QFOA0CrPOfR/iPTA6DVOBdX45aFJ4bBJWe6oAPchQ3QTh0gzxHfhcHs3IMFsWYGy9fli2dOjFVkX";

/**
 * Decodes a sample in idle moments, as often as it takes until the browser has compiled the decoder: the first map of a page would
 * take some ten times as long as the others.
 */
export function warmUp(times = 400): void {
  const bytes = Uint8Array.from(atob(sample), (c) => c.charCodeAt(0));
  const slice = 8; // ms, so that the page stays smooth
  const some = (): void => {
    for (const end = performance.now() + slice; times > 0 && performance.now() < end; times--) decode(bytes);
    if (times > 0) later(some);
  };
  later(some);
}

/** Calls back when the page is idle, or soon in browsers that do not tell. */
const later = (fn: () => void): unknown => ("requestIdleCallback" in globalThis ? requestIdleCallback(fn) : setTimeout(fn, 20));

const truncated = (): Error => new Error("label map is cut off or damaged");

/** How many bits it takes to write a number; 0 has none. */
const width = (v: number): number => 32 - Math.clz32(v);

// A crack's lean tells the class of its last shift, in the low bits, and the sign of the one before.
const leanBits = 4;
const border = (2 << leanBits) | 14;
const corner = 15; // in place of a lean: the level cracks began at a corner
const reach = 8; // columns that the distance of a corner is counted one by one
const oldest = 7; // age of a run
const spans = 9;

// Where the models of each question begin.
const askTop = 0;
const askSide = askTop + spans;
const askCorner = askSide + 3;
const askFarther = askCorner + 8 * (border + 1);
const askTurn = askFarther + 8 * spans * (reach - 1);
const askFork = askTurn + 96 * 7;
const askDown = askFork + 12 * 3;
const askOnward = askDown + 72 * 8;
const askLeave = askOnward + 3 * spans;
const askCross = askLeave + 96 * 8;
const askBoth = askCross + 4;
const questions = askBoth + 4;

const magnitudes = Uint8Array.of(0, 1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 7); // of shifts by 0, 1, 2, … columns
const nears = Uint8Array.of(0, 1, 2, 3, 3, 3, 3, 3, 4, 5, 6, 6, 6, 6, 6, 7);
const signs = Uint8Array.of(0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 1);
const lengths = Uint8Array.of(0, 1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 8); // of 1, 2, 3, … columns

const near = (lean: number): number => nears[lean & 15] as number;
const sign = (lean: number): number => signs[lean & 15] as number;
const span = (n: number): number => lengths[n > 23 ? 22 : n - 1] as number;
const magnitude = (columns: number): number => magnitudes[columns > 14 ? 14 : columns] as number;

/** The models that contours begin with, of which each character tells one: how likely, then how sure. */
const trained = ((): Int32Array => {
  const likely = [16384, 19355, 22136, 24585, 26626, 28251, 29499, 30431, 31112, 31602, 31951, 32198, 32371, 32492, 32576, 32635];
  const sure = [4, 12, 36];
  return Int32Array.from({ length: questions }, (_, i) => {
    const v = priors.charCodeAt(i) - 33;
    const step = Math.floor(v / 3) - 15;
    const p = likely[Math.abs(step)] as number;
    return ((step < 0 ? 32768 - p : p) << 6) | (sure[v % 3] as number);
  });
})();

/** Walks down the rows and reads where regions meet. */
class Contours {
  private readonly ends: number[] = []; // of all runs so far: the column after the last, and the piece
  private readonly runs: number[] = [];
  private readonly into: number[] = []; // of each piece: an earlier one that it is part of, or itself; at last, its component
  private readonly contacts: number[] = []; // pairs of runs that touch
  private above = 0; // the first run of the row above, and of this row
  private here = 0;
  private readonly born: number[] = []; // of all runs: the first row; and the lean of the crack at its end
  private readonly leans: number[] = [];
  private piece = -1; // of the run that is being made, -1 when it has touched none yet
  private since = 0; // the first row of that run
  private y = 0;
  private quarters = new Uint8Array(0); // how old a run is, by rows

  constructor(
    private readonly coder: Coder,
    private readonly w: number,
    private readonly h: number,
  ) {}

  walk(): void {
    this.coder.models = trained.slice();
    for (; this.y < this.h; this.y++) {
      this.above = this.here;
      this.here = this.ends.length;
      this.since = this.y;
      if (this.y === 0) this.top();
      else this.follow();
      this.close(this.w, border);
      if (this.y === 0) this.measure(Math.min(Math.floor(this.w / this.ends.length), 256));
    }
  }

  /** Measures ages by the usual width of a run. */
  private measure(width: number): void {
    this.quarters = Uint8Array.from({ length: 2 * width + 1 }, (_, age) => Math.min(Math.floor((4 * age) / width), oldest));
  }

  private age(born: number): number {
    const age = this.y - born;
    const quarters = this.quarters;
    return quarters[age < quarters.length ? age : quarters.length - 1] as number;
  }

  private top(): void {
    for (let x = 1, start = 0; x < this.w; x++) {
      if (!this.coder.bit(askTop + span(x - start))) continue;
      this.close(x, 0);
      start = x;
    }
  }

  private follow(): void {
    const { coder, w, ends, leans, born } = this;
    const last = this.here - 1; // the last run above
    let i = this.above; // the run above the last pixel; where it ends, the lean of that crack, and how old the run is
    let e = (ends[i] as number);
    let lean = (leans[i] as number);
    let age = this.age((born[i] as number));
    let next = i < last ? (ends[i + 1] as number) : w; // where the one after it ends, and how old that is
    let nextAge = i < last ? this.age((born[i + 1] as number)) : 0;
    let level = coder.bit(askSide + Math.min(e, 3) - 1);
    this.pass(i, level);
    let from = 0; // how and where the level cracks began
    let start = 0;
    for (let x = 1; x < w; x++) {
      if (x < e && !level) {
        if (!coder.bit(askCorner + 8 * lean + 2 * (age >> 1) + (e - x < 2 ? 0 : 1))) {
          x = e - 1;
          continue;
        }
        const d = this.distance(e - x, lean);
        x = e - d;
        this.bend(x, (sign(lean) << leanBits) | (7 + magnitude(d)));
        level = true;
        from = corner;
        start = x;
        continue;
      }
      const length = x - start < 4 ? x - start - 1 : 3;
      if (x < e) {
        const alone = this.piece < 0 ? 3 : 0;
        const gap = e - x < 3 ? e - x - 1 : 2;
        if (!coder.bit(askDown + 72 * near(from) + 18 * length + 6 * gap + alone + sign(lean))) continue;
        level = coder.bit(askOnward + 3 * span(e - x) + sign(lean));
        this.bend(x, (sign(from) << leanBits) | magnitude(x - start));
        from = 0;
      } else {
        const came = level;
        let down: boolean;
        if (came) {
          const old = this.piece < 0 ? oldest : this.age(this.since);
          down = level = coder.bit(askLeave + 96 * old + 12 * nextAge + 4 * sign(lean) + length);
          if (level) {
            down = coder.bit(askCross + (old >> 1));
            level = !down || coder.bit(askBoth + (nextAge >> 1));
          }
        } else {
          const gap = next - x;
          level = coder.bit(askTurn + 96 * near(lean) + 32 * (lean >> leanBits) + 8 * (age >> 1) + 2 * (nextAge >> 1) + (gap < 2 ? 0 : 1));
          down = !level || coder.bit(askFork + 12 * sign(lean) + 3 * (nextAge >> 1) + (gap < 3 ? gap - 1 : 2));
        }
        if (down) {
          const straight = sign(lean) << leanBits;
          if (came || level) this.bend(x, straight);
          else this.close(x, straight);
        }
        from = lean;
        i++;
        e = next;
        lean = (leans[i] as number);
        age = nextAge;
        next = i < last ? (ends[i + 1] as number) : w;
        nextAge = i < last ? this.age((born[i + 1] as number)) : 0;
      }
      start = x;
      this.pass(i, level);
    }
  }

  private distance(most: number, lean: number): number {
    const models = askFarther + 8 * span(most) + near(lean);
    let d = 1;
    while (d < most && d < reach && this.coder.bit(models + 72 * (d - 1))) d++;
    if (d === reach) d += this.coder.plain(width(most - d));
    if (d > most) throw new Error("label map has a contour that is too far to the left");
    return d;
  }

  private close(x: number, lean: number): void {
    if (this.coder.overrun) throw truncated();
    if (this.piece < 0) {
      this.piece = this.into.length;
      this.into.push(this.piece);
    }
    this.ends.push(x);
    this.runs.push(this.piece);
    this.born.push(this.since);
    this.leans.push(lean);
    this.piece = -1;
    this.since = this.y;
  }

  /** Is close for a crack between runs that may not have touched before. */
  private bend(x: number, lean: number): void {
    this.contacts.push(this.ends.length);
    this.contacts.push(this.ends.length + 1);
    this.close(x, lean);
  }

  /** Comes below a run above, with a level crack or not. */
  private pass(run: number, level: boolean): void {
    if (level) {
      this.contacts.push(this.ends.length);
      this.contacts.push(run);
      return;
    }
    const born = (this.born[run] as number);
    if (born < this.since) this.since = born;
    const p = (this.runs[run] as number);
    if (this.piece < 0 || this.piece === p) {
      this.piece = p;
      return;
    }
    const a = this.root(this.piece);
    const b = this.root(p);
    this.piece = a < b ? a : b;
    this.into[a < b ? b : a] = this.piece;
  }

  private root(p: number): number {
    for (let up = (this.into[p] as number); up !== p; up = (this.into[p] as number)) {
      this.into[p] = this.into[up] as number;
      p = up;
    }
    return p;
  }

  /** The id of each piece; n is how many regions there are if their ids are 0..n-1 in the order of first appearance, else 0. */
  ids(): { ids: Uint16Array; n: number } {
    let n = 0;
    const { into, coder } = this;
    for (let i = 0; i < into.length; i++) into[i] = (into[i] === i ? n++ : (into[into[i] as number] as number));
    const regions = new Uint16Array(n); // of each component
    if (coder.plain(1) === 1) n = readParents(coder, regions, null);
    else if (n > maxRegions) throw new Error(`label map of ${n} regions`);
    else for (let i = 0; i < n; i++) regions[i] = i;
    const named = coder.plain(1) === 1;
    const names = named ? Uint16Array.from({ length: n }, () => coder.plain(16)) : null;
    const ids = new Uint16Array(into.length);
    for (let i = 0; i < ids.length; i++) {
      const region = regions[(into[i] as number)] as number;
      ids[i] = names ? (names[region] as number) : region;
    }
    return { ids, n: named ? 0 : n };
  }

  paint(ids: Uint16Array): Uint16Array {
    const { w, ends, runs } = this;
    const labels = new Uint16Array(w * this.h);
    for (let i = 0, row = 0, at = 0; i < ends.length; i++) {
      const to = row + (ends[i] as number);
      const id = ids[(runs[i] as number)] as number;
      if (to - at > 16) labels.fill(id, at, to); // below, a loop is as fast
      else for (let k = at; k < to; k++) labels[k] = id;
      at = to;
      if (at === row + w) row = at;
    }
    return labels;
  }

  /** Which of n regions touch, by the contacts of their runs. */
  neighbors(ids: Uint16Array, n: number): Neighbors {
    const near = new Neighbors(n);
    const { runs, contacts } = this;
    for (let i = 0; i < contacts.length; i += 2) {
      near.add(ids[runs[contacts[i] as number] as number] as number, ids[runs[contacts[i + 1] as number] as number] as number);
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

// The models of levels: how many neighbors have a parent, by how many parents are left to ask.
const mostVotes = 3;
const mostLeft = 4;
const askNew = mostVotes * mostLeft;

/** Fills in what region of the next level each region is part of, and returns how many that level has. */
function readParents(coder: Coder, parents: Uint16Array, near: Neighbors | null): number {
  coder.models = freshModels(askNew + 1);
  let n = 0;
  for (let r = 0; r < parents.length; r++) parents[r] = known(r) ?? next();
  return n;

  function known(r: number): number | undefined {
    const tried: number[] = [];
    const votes: number[] = [];
    for (const other of near?.of(r) ?? []) {
      const p = parents[other] as number;
      const k = tried.indexOf(p);
      if (k >= 0) votes[k] = (votes[k] as number) + 1;
      else {
        tried.push(p);
        votes.push(1);
      }
    }
    return tried.find((_, k) => coder.bit(mostLeft * (Math.min(votes[k] as number, mostVotes) - 1) + Math.min(tried.length - k, mostLeft) - 1));
  }

  function next(): number {
    if (coder.bit(askNew)) {
      if (n === maxRegions) throw new Error("label map has too many regions");
      return n++;
    }
    const p = coder.plain(width(Math.max(n - 1, 0)));
    if (p >= n) throw new Error(`label map refers to region ${p} of ${n}`);
    return p;
  }
}
