// Package labelmap is the codec of superpixel label maps, which say what region each pixel belongs to, and of the coarser
// levels that these regions merge into. It is lossless for any map of uint16 ids, and small for maps of connected regions: it
// codes how contours go on from one row to the next, by models that photos have trained. The superpixel step's maps of 800 regions
// of photos of 640x480 take 7.8 kB on average, and two coarser levels 0.23 kB more.
//
// # Format "labelmap/2"
//
// Header: the four bytes 'G' 'L' 'M' 2; then width, height and the number of levels above the finest, 0 to 16, as unsigned
// LEB128 varints. The rest is one stream of a binary range coder: contours, ids, levels.
//
// The range coder is that of LZMA with 15-bit probabilities, without the zero that LZMA begins with. The first four bytes of
// the stream are the initial code, big-endian; range starts at 0xFFFFFFFF. A bit with probability p of being 1: bound =
// (range>>15)*p; it is 1 if code < bound, then range = bound, else 0, code -= bound and range -= bound. A plain bit: range >>= 1;
// it is 1 if code >= range, then code -= range. After each bit, while range < 2^24: range <<= 8 and code = code<<8 | next byte.
// The last three bytes of the stream are 0 and left out; no byte more is read, and none less. Plain numbers come most
// significant bit first; a number has as many bits as it takes to write it, 0 has none.
//
// A model is a probability p, at first 2^14, and a count n, at first 0. After a 1, p += (2^15-p)/(n+2), after a 0,
// p -= p/(n+2), both divisions rounding down; then n grows by one unless it is 62. Below, ask NAME[i][j] is a bit by the model
// of that name and indices, of which each combination has its own.
//
// The models of contours begin as priors.txt says, by a character c each, in the order of the constants ask… and row-major in
// the indices that these pages give. With v = c-33: n is 4, 12 or 36, by v mod 3, and p is the entry v/3-15 of the table likely,
// for negative ones 2^15 less the entry of the same size.
//
// # Contours
//
// A crack is the edge between two neighboring pixels of different regions: upright to the left of a pixel, level above it. A
// run is the pixels of a row from one upright crack to the next.
//
// The lean of an upright crack is 16*before+last: last is the class of its last shift, in columns: 0, 1, 2, 3 are 0 to 3, 4-5
// is 4, 6-8 is 5, 9-13 is 6, more is 7; to the left, the same and 7 more. before says whether the shift before was none (0), to
// the right (1) or to the left (2). Of a lean, sign is 0, 1 or 2 in the same way, for its last shift, and near is last with all
// above 3 taken together: 0, 1 to 3 to the right, 4 to 6 to the left. The border of the image has the lean 46.
//
// The span of n columns is 0 to 3 for 1 to 4, 4 for 5-6, 5 for 7-9, 6 for 10-14, 7 for 15-22, and 8 for more.
//
// A run that level cracks part from all runs above begins a piece, and was born in its row; another was born when the oldest
// of those above that it touches was. The age of a run above, in the row y, is min(7, 4*a/s), rounding down, of a = y - its row
// of birth, at most 2s, and s = the width of the image divided by the runs of the first row, rounding down, at most 256.
//
// Rows are coded from top to bottom. In the first row, for x from 1 to width-1, ask top[span of x less the column of the crack
// before, or 0]: is there an upright crack at x? It has the lean 0. In each later row, ask side[min(e,3)-1]: is there a level crack
// above its pixel 0? Here and below, e is the column where the run above ends that is not passed yet, lean is that of the crack
// there, old the age of this run, and e' and old' those of the next run, or the width and 0. Then the corner at the upper left of
// each pixel x from 1 to width-1 is passed, in this order. What is not asked follows from this: no crack ends alone at a corner.
//
//   - No crack comes from above (x < e) nor from the left. Ask corner[lean][old/2][min(e-x,2)-1]: is there, before e, a corner with
//     cracks to the right and down? If not, go on at e. Else its distance d from e follows: d = 1, and while d < min(e-x, 8), ask
//     farther[d-1][span of e-x][near of lean, of 8]: is it farther? then d grows by one. If d = 8, add a plain number of as many bits
//     as e-x-8 has; d is at most e-x. At e-d, there are an upright crack that shifted by d to the left from lean, and a level one,
//     with from = 15. Go on at e-d+1.
//   - Only from the left. Ask down[near of from][min(x-start,4)-1][min(e-x,3)-1][new][sign of lean]: is there an upright crack?
//     near of 15 is 7, its sign 1; new is 1 if the run at x-1 has touched none above so far, else 0. If so, ask onward[span of
//     e-x][sign of lean]: is there a level one too? If not, there is none. The upright one shifted by x-start to the right from the
//     lean from; from becomes 0.
//   - Only from above. Ask turn[near of lean][lean/16][old/2][old'/2][min(e'-x,2)-1], with three of the second and 7 of the first:
//     is there a level crack? If so, ask fork[sign of lean][old'/2][min(e'-x,3)-1]: is there an upright one too? If not, there is
//     an upright one.
//   - From both. Ask leave[age][old'][sign of lean][min(x-start,4)-1]: is there any? age is that of the run at x-1 so far, 7
//     when it has touched none above. If so, ask cross[age/2]: an upright one? If so, ask both[old'/2]: a level one too? If cross
//     was 0, there is a level one.
//
// In the last two, an upright crack shifted by 0 from lean, and from becomes lean. start is the column of the last corner where
// more than a level crack passed, at first 0, with from = 0. A crack that shifted from a lean has the sign of that as its before.
//
// Pixels that no crack separates form components, numbered 0, 1, 2, … by their first pixels in row-major order.
//
// # Ids and levels
//
// A plain bit says (1) that some region has several components. If so, the regions of components are coded as parents, below,
// with no neighbors. Else, component k is region k. There are at most 65536 regions. One more plain bit says (1) that ids
// follow: 16 plain bits of each region. Else region r has the id r, and only then there may be levels.
//
// The parents of the regions of each level follow, finest level first, each with models of its own: region r of this level is
// part of region parent(r) of the next; these too are numbered by first appearance. For each r from 0: its neighbors have n
// different parents, the k-th of which, from 0, v neighbors have. For each k in the order of the first neighbors that have them,
// ask same[min(v,3)-1][min(n-k,4)-1]: is this the parent? When none is, ask new: is the parent a region not seen so far? Else its
// number follows, as a plain number of as many bits as the number of regions seen so far, less one, has.
//
// The neighbors of a region are the first eight different regions of lower number that are found to touch it. In the finest
// level, find them as corners are passed: at each upright crack, unless it goes on from above and meets no level one, those on
// its two sides; then, when a level crack goes on to the right of the corner, and at pixel 0, those on its two sides. In the
// levels above, region by region of the level below: its parent touches those of its neighbors, in their order there.
package labelmap

// Encoding names this version of the format in schemas.Superpixels.
const Encoding = "labelmap/2"
