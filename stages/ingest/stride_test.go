//go:build !race

package ingest_test

const photoStride = 1
