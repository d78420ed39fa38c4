package main

import "gleaner/deploy/bench/report"

// memoryBandwidth is how many bytes a second one thread reads and writes when it copies a buffer far larger than the caches.
func memoryBandwidth() float64 {
	const size = 256 << 20
	from, to := make([]byte, size), make([]byte, size)
	for i := range from {
		from[i] = byte(i)
	}
	copy(to, from) // the pages of both are there from here on
	rates := make([]float64, 9)
	for i := range rates {
		began := processorTime()
		copy(to, from)
		rates[i] = 2 * size / (processorTime() - began).Seconds()
	}
	return report.Median(rates)
}
