// Package labelmap is the codec of superpixel label maps: which region each pixel belongs to.
package labelmap
