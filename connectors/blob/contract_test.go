package blob_test

import (
	"testing"

	"gleaner/connectors/conntest"
)

func TestContract(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		conntest.Store(t, func(t *testing.T) conntest.Blobs { return open(t, "file://"+t.TempDir()) })
	})
	t.Run("bucket", func(t *testing.T) {
		at := bucketURL(t)
		conntest.Store(t, func(t *testing.T) conntest.Blobs { return open(t, at) })
	})
}
