//go:build !(amd64 && goexperiment.simd)

package labelmap

// kernels are those that this build has.
func kernels() []kernel { return []kernel{scalar} }
