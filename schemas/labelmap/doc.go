// Package labelmap is the codec of superpixel label maps, which say what region each pixel belongs to, and of the coarser
// levels that these regions merge into. It is lossless for any map of uint16 ids, and small for maps of connected regions: it
// codes how contours go on from one row to the next. The superpixel step's maps of 800 regions of photos of 640x480 take 8.1 kB
// on average, and two coarser levels 0.24 kB more.
//
// # Format "labelmap/2"
//
// Header: the four bytes 'G' 'L' 'M' 2; then width, height and the number of levels above the finest, 0 to 16, as unsigned
// LEB128 varints. The rest is one stream of a binary range coder: contours, ids, levels.
//
// The range coder is that of LZMA with 15-bit probabilities. The first byte of the stream is 0, the next four are the initial
// code, big-endian; range starts at 0xFFFFFFFF. A bit with probability p of being 1: bound = (range>>15)*p; it is 1 if code <
// bound, then range = bound, else 0, code -= bound and range -= bound. A plain bit: range >>= 1; it is 1 if code >= range,
// then code -= range. After each bit, while range < 2^24: range <<= 8 and code = code<<8 | next byte. Plain numbers come most
// significant bit first; a number has as many bits as it takes to write it, 0 has none.
//
// A model is a probability p, at first 2^14, and a count n, at first 0. After a 1, p += (2^15-p)/(n+2), after a 0,
// p -= p/(n+2), both divisions rounding down; then n grows by one unless it is 62. Below, ask NAME[i][j] is a bit by the model
// of that name and indices, of which each combination has its own.
//
// # Contours
//
// A crack is the edge between two neighboring pixels of different regions: upright to the left of a pixel, level above it.
// Rows are coded from top to bottom. In the first row, for x from 1 to width-1, ask top: is there an upright crack at x? In each
// later row, ask side[min(e,3)]: is there a level crack above its pixel 0? Here and below, e is the column of the first upright
// crack of the row above that is not yet passed (e >= x), or the width when there is none. Then the corner at the upper left
// of each pixel x from 1 to width-1 is passed, in this order. There u says that x = e: an upright crack comes from above. And l
// says that there is a level crack above pixel x-1. What is not asked follows from this: no crack ends alone at a corner.
//
//   - Neither. Ask corner[min(e-x,5)][lean of e]: is there, before e, a corner with cracks to the right and down? If not, go on
//     at e. Else its distance d from e follows: d = 1, and while d < min(e-x, 8), ask farther[d][last of e]: is it farther? then
//     d grows by one. If d = 8, add a plain number of as many bits as e-x-8 has; d is at most e-x. At e-d, there are an upright
//     and a level crack. Go on at e-d+1, with l.
//   - Only u. Let e' be the next crack of the row above, or the width. Ask turn[lean of e][min(e'-x,3)]: is there a level
//     crack? If so, ask fork[min(e'-x,3)]: is there an upright one too? If not, there is an upright one.
//   - Only l. Ask down[from][min(x-start,6)][min(e-x,2)]: is there an upright crack? If so, ask onward[began][min(x-start,6)]: is
//     there a level one too? If not, there is a level one.
//   - Both. Ask leave[began][min(x-start,6)][min(e'-x,3)]: is there any? If so, ask cross[began]: an upright one? If so, ask
//     both[began]: a level one too? If cross was 0, there is a level one.
//
// start is the column where the level cracks above pixel x-1 began, and from is how: 7 at a corner; at a crack from above, its
// last; at a fork of level cracks (onward was 1), 0. Those from pixel 0 begin at column 0 with 0. began is 1 if from is 7, else 0.
//
// The lean of an upright crack is 8*previous+last, of classes of shifts: 0, 1, 2 to the right are 0, 1, 2, more is 3; 1, 2 to the
// left are 4, 5, more is 6. A crack of the first row has 0. One that continues a crack from above has that one's last as its
// previous, and 0 as its last. One at a corner: the last of e, and the class of d to the left. One at which level cracks go
// down (after down): from, and the class of x-start to the right. The width, in place of a crack, has 8*6+6.
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
// part of region parent(r) of the next; these too are numbered by first appearance. For each r from 0: for each of its
// neighbors, ask same[k]: is the parent that of this neighbor? A parent that was asked already is passed over; k is how many
// were asked before, from 0. When none is, ask new: is the parent a region not seen so far? Else its number follows, as a plain
// number of as many bits as the number of regions seen so far, less one, has.
//
// The neighbors of a region are the first eight different regions of lower number that are found to touch it. In the finest
// level, find them run by run in row-major order, a run being the pixels of a row from one upright crack to the next: for
// each, first the run on its left, then those above it, from left to right. In the levels above, region by region of the
// level below: its parent touches those of its neighbors, in their order there.
package labelmap

// Encoding names this version of the format in schemas.Superpixels.
const Encoding = "labelmap/2"
