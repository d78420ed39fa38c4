// Package labelmap is the codec of superpixel label maps: which region each pixel belongs to. It is lossless for any map of
// uint16 ids and small for maps of connected regions: it codes where the contours turn, a few kilobytes an image.
//
// # Format "labelmap/1"
//
// Header: the four bytes 'G' 'L' 'M' 1; then width, height and flags as unsigned LEB128 varints. Bit 0 of flags (ordered)
// says that ids are 0, 1, 2, … in the order of their first appearance in row-major order; other bits are zero.
// The rest is one stream of a binary range coder.
//
// Pixels are coded in row-major order as a short series of decisions. L, LL are the pixels one and two to the left; U, UL,
// ULL, UR, URR those of the row above at x, x-1, x-2, x+1, x+2; UU, UUL, UUR those two rows above at x, x-1, x+1. A pixel
// outside of the image has an id that equals no region but itself. The context is the ten-bit number of
//
//	bit 0 L=UL   1 UL=U   2 U=UR   3 L=U   4 UR=URR   5 U=UU   6 UL=UUL   7 L=LL   8 UL=ULL   9 UR=UUR
//
// There are four candidates: L; U; in the row above from x+1 to x+64, the first id that is neither L nor U; after it, the
// first that is none of these three. A candidate that is outside of the image, or U where it equals L, is passed over. For
// each other, one bit says whether it is the pixel's id (1: yes, and the pixel is done); its model is model[slot][context],
// where slot counts the four from 0. When none is, one more bit, with the model fresh, says whether the id is new (1). A new
// id is the number of ids seen so far if ordered, else 16 plain bits. An old id is given by its rank in the order of first
// appearance, in as many plain bits as the number of ids seen so far, less one, has. Plain bits come most significant first.
//
// The range coder is that of LZMA with 15-bit probabilities. The first byte of the stream is 0, the next four are the
// initial code, big-endian; range starts at 0xFFFFFFFF. Before each decision, while range < 2^24: range <<= 8 and code =
// code<<8 | next byte. A bit with probability p: bound = (range>>15)*p; it is 1 if code < bound, then range = bound, else 0,
// code -= bound and range -= bound. A plain bit: range >>= 1; it is 1 if code >= range, then code -= range. A model is a
// probability p, at first 2^14, and a count n, at first 0. After a 1, p += (2^15-p)/(n+2), after a 0, p -= p/(n+2), both
// divisions rounding down; then n grows by one unless it is 62.
package labelmap

// Encoding names this version of the format in schemas.Superpixels.
const Encoding = "labelmap/2"
