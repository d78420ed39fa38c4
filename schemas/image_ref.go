package schemas

// ImageRef names an image by its content. The bytes are in the blob store under ImageKey; Inline is a cache of them.
type ImageRef struct {
	SHA256    Hash   `json:"sha256"`
	Size      int64  `json:"size"` // bytes of the encoded image
	MediaType string `json:"media_type"`
	W         int    `json:"w"` // pixels, after EXIF orientation
	H         int    `json:"h"`
	Inline    []byte `json:"-"` // the encoded image when Size is at most the configured limit (256 KiB by default), else empty
}

// Ref is a claim check on the raw topic: where the image is instead of the image.
type Ref struct {
	URL    string `json:"url"`
	SHA256 Hash   `json:"sha256"`
}

// BlobRef names a value in the blob store by key.
type BlobRef struct {
	Key  string `json:"key"`
	Size int64  `json:"size"`
}
