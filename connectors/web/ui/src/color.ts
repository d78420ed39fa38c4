// A steady color for every class name, far from its neighbors in hue and readable over photos.

export function classColor(name: string): string {
  let h = 2166136261; // FNV-1a
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 16777619);
  const turn = ((h >>> 0) * 0.618033988749895) % 1;
  return `hsl(${Math.round(turn * 360)} 85% 70%)`;
}
