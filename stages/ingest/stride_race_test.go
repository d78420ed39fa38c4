//go:build race

package ingest_test

// The race detector makes pixel work ten times slower: under it every eighth photo will do.
const photoStride = 8
