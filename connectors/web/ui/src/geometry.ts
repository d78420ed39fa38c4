// Boxes, the handles that resize them, and the view that maps image pixels to the screen. Pure functions only.

export interface Point {
  x: number;
  y: number;
}

/** x1,y1 inclusive, x2,y2 exclusive, in pixels of the upright image. */
export interface Box {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

export interface Size {
  w: number;
  h: number;
}

/** Which edges of a box a drag moves; "move" moves all of them. */
export type Handle = "n" | "s" | "e" | "w" | "ne" | "nw" | "se" | "sw" | "move";

/** screen = image * scale + (x, y), in CSS pixels. */
export interface View {
  scale: number;
  x: number;
  y: number;
}

const clamp = (v: number, lo: number, hi: number): number => Math.min(Math.max(v, lo), hi);

export const area = (b: Box): number => Math.max(0, b.x2 - b.x1) * Math.max(0, b.y2 - b.y1);

export const inside = (b: Box, p: Point): boolean => p.x >= b.x1 && p.x < b.x2 && p.y >= b.y1 && p.y < b.y2;

export const equal = (a: Box, b: Box): boolean => a.x1 === b.x1 && a.y1 === b.y1 && a.x2 === b.x2 && a.y2 === b.y2;

/** Intersection over union, [0,1]; 0 when either is empty. */
export function iou(a: Box, b: Box): number {
  const inter = area({ x1: Math.max(a.x1, b.x1), y1: Math.max(a.y1, b.y1), x2: Math.min(a.x2, b.x2), y2: Math.min(a.y2, b.y2) });
  const union = area(a) + area(b) - inter;
  return union > 0 ? inter / union : 0;
}

/** The smallest box that holds both. */
export const around = (a: Box, b: Box): Box => ({
  x1: Math.min(a.x1, b.x1), y1: Math.min(a.y1, b.y1), x2: Math.max(a.x2, b.x2), y2: Math.max(a.y2, b.y2),
});

/** The box between two corners in any order, cut to the image. */
export function fromCorners(a: Point, b: Point, size: Size): Box {
  return {
    x1: clamp(Math.min(a.x, b.x), 0, size.w),
    y1: clamp(Math.min(a.y, b.y), 0, size.h),
    x2: clamp(Math.max(a.x, b.x), 0, size.w),
    y2: clamp(Math.max(a.y, b.y), 0, size.h),
  };
}

export function clip(b: Box, size: Size): Box {
  return { x1: clamp(b.x1, 0, size.w), y1: clamp(b.y1, 0, size.h), x2: clamp(b.x2, 0, size.w), y2: clamp(b.y2, 0, size.h) };
}

/** Moves a box, or the edges that the handle names, by dx,dy. A moved box keeps its size; an edge dragged past the other flips the box. */
export function drag(b: Box, handle: Handle, dx: number, dy: number, size: Size): Box {
  if (handle === "move") {
    const mx = clamp(dx, -b.x1, Math.max(-b.x1, size.w - b.x2));
    const my = clamp(dy, -b.y1, Math.max(-b.y1, size.h - b.y2));
    return { x1: b.x1 + mx, y1: b.y1 + my, x2: b.x2 + mx, y2: b.y2 + my };
  }
  const west = handle.includes("w") ? dx : 0;
  const east = handle.includes("e") ? dx : 0;
  const north = handle.includes("n") ? dy : 0;
  const south = handle.includes("s") ? dy : 0;
  return fromCorners({ x: b.x1 + west, y: b.y1 + north }, { x: b.x2 + east, y: b.y2 + south }, size);
}

/** The handle of b under p: a corner or edge within reach, else "move" inside, else null. */
export function handleAt(b: Box, p: Point, reach: number): Handle | null {
  if (p.x < b.x1 - reach || p.x > b.x2 + reach || p.y < b.y1 - reach || p.y > b.y2 + reach) return null;
  const near = (v: number, edge: number): boolean => Math.abs(v - edge) <= reach;
  // The nearer edge wins, so that a box smaller than the reach can still grow to either side.
  const ns = near(p.y, b.y1) && Math.abs(p.y - b.y1) <= Math.abs(p.y - b.y2) ? "n" : near(p.y, b.y2) ? "s" : "";
  const we = near(p.x, b.x1) && Math.abs(p.x - b.x1) <= Math.abs(p.x - b.x2) ? "w" : near(p.x, b.x2) ? "e" : "";
  return ((ns + we) as Handle | "") || "move";
}

/** The smallest of the boxes under p, by index, or -1: small boxes lie within large ones more often than the other way. */
export function smallestAt(boxes: readonly Box[], p: Point): number {
  let best = -1;
  let bestArea = Infinity;
  boxes.forEach((b, i) => {
    const a = area(b);
    if (inside(b, p) && a < bestArea) {
      best = i;
      bestArea = a;
    }
  });
  return best;
}

export const toImage = (v: View, p: Point): Point => ({ x: (p.x - v.x) / v.scale, y: (p.y - v.y) / v.scale });

export const toScreen = (v: View, b: Box): Box => ({
  x1: b.x1 * v.scale + v.x,
  y1: b.y1 * v.scale + v.y,
  x2: b.x2 * v.scale + v.x,
  y2: b.y2 * v.scale + v.y,
});

/** The view that shows the whole box centered, with a margin in CSS pixels, at most at maxScale. */
export function show(b: Box, screen: Size, margin: number, maxScale: number): View {
  const w = Math.max(b.x2 - b.x1, 1);
  const h = Math.max(b.y2 - b.y1, 1);
  const scale = Math.min((screen.w - 2 * margin) / w, (screen.h - 2 * margin) / h, maxScale);
  const safe = scale > 0 && Number.isFinite(scale) ? scale : 1;
  return { scale: safe, x: screen.w / 2 - ((b.x1 + b.x2) / 2) * safe, y: screen.h / 2 - ((b.y1 + b.y2) / 2) * safe };
}

/** Zooms by factor and keeps the image point under p where it is. */
export function zoomAt(v: View, p: Point, factor: number): View {
  const scale = clamp(v.scale * factor, 0.02, 64);
  const k = scale / v.scale;
  return { scale, x: p.x - (p.x - v.x) * k, y: p.y - (p.y - v.y) * k };
}
