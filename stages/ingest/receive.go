package ingest

// From a raw record to image bytes and the sample's identity.

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// DeclaredMediaType is the slice in which a sample keeps the media type that its producer's header or file name declared,
// when the content is of another: such producers can be found by it, and nothing else is made of the lie.
const DeclaredMediaType = "declared-media-type"

const (
	defaultTask = "detect"

	maxHeader = 4096 // bytes of a header's value that is no name
)

// incoming is one record on its way through the step.
type incoming struct {
	sample    schemas.Sample
	data      []byte // the encoded image
	declared  string // media type as the producer says, normalized; empty: nothing usable was said
	takenBack bool
	inline    int // up to so many bytes travel with the sample
}

// receive reads the headers, follows a claim check, and names the sample.
func (s *Ingest) receive(ctx context.Context, rec schemas.Record) (*incoming, error) {
	in := &incoming{
		sample: schemas.Sample{Task: defaultTask, Received: rec.Time, Stage: schemas.StageSamples},
		data:   rec.Value, takenBack: accepts(rec), inline: int(s.cfg.Inline),
	}
	var mediaType string
	for _, h := range rec.Headers {
		value, limit := string(h.Value), maxHeader
		switch {
		case h.Key == schemas.HeaderDataset:
			in.sample.Dataset = value
		case h.Key == schemas.HeaderUniqueID:
			in.sample.UniqueID, limit = value, schemas.MaxName
		case h.Key == schemas.HeaderMediaType:
			mediaType = value
		case h.Key == schemas.HeaderTask && value != "":
			in.sample.Task, limit = value, schemas.MaxName
		case strings.HasPrefix(h.Key, schemas.HeaderSlice) && utf8.ValidString(h.Key):
			if in.sample.Slices == nil {
				in.sample.Slices = map[string]string{}
			}
			in.sample.Slices[h.Key[len(schemas.HeaderSlice):]] = value
		default:
			continue
		}
		if len(value) > limit || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return nil, schemas.NewFault("bad-header", fmt.Errorf("header %q: want at most %d bytes of UTF-8", h.Key, limit))
		}
	}
	if in.sample.Dataset == "" {
		return nil, schemas.NewFault("no-dataset", fmt.Errorf(
			"the record has no header %q: set it to the name of the dataset and send the record again", schemas.HeaderDataset))
	}
	if err := schemas.CheckDataset(in.sample.Dataset); err != nil {
		return nil, schemas.NewFault("bad-header", fmt.Errorf("header %q: %w", schemas.HeaderDataset, err))
	}
	if base, _, _ := strings.Cut(mediaType, ";"); strings.TrimSpace(base) == schemas.MediaTypeRef {
		mediaType = ""
		if err := s.follow(ctx, in); err != nil {
			return nil, err
		}
	}
	in.declared = declared(mediaType, in.sample.UniqueID)
	sum := digest(in.data)
	in.sample.ID = schemas.NewSampleID(in.sample.Dataset, in.sample.UniqueID, sum)
	in.sample.Group = in.sample.ID
	in.sample.Image = schemas.ImageRef{SHA256: sum, Size: int64(len(in.data)), MediaType: in.declared}
	if len(in.data) <= in.inline {
		in.sample.Image.Inline = in.data
	}
	return in, nil
}

// follow replaces a claim check by the bytes that it names.
func (s *Ingest) follow(ctx context.Context, in *incoming) error {
	var ref schemas.Ref
	if err := json.Unmarshal(in.data, &ref); err != nil {
		return schemas.NewFault("bad-reference", fmt.Errorf(`claim check: want {"url":"…","sha256":"…"}: %w`, err))
	}
	if ref.URL == "" || ref.SHA256 == (schemas.Hash{}) {
		return schemas.NewFault("bad-reference", fmt.Errorf("claim check: url and sha256 must both be set"))
	}
	if s.deps.Fetcher == nil {
		return schemas.NewFault("bad-reference", fmt.Errorf("claim check of %s: no fetcher is set up", ref.URL))
	}
	data, err := s.deps.Fetcher.Fetch(ctx, ref.URL)
	if err != nil {
		return fmt.Errorf("claim check: %w", err)
	}
	if sum := digest(data); sum != ref.SHA256 {
		return schemas.NewFault("digest-mismatch", fmt.Errorf(
			"claim check: %s holds bytes of SHA-256 %s, %s was promised", ref.URL, sum, ref.SHA256))
	}
	in.data = data
	return nil
}

// describe adds what decoding learned.
func (in *incoming) describe(info pixels.Info) {
	image := &in.sample.Image
	image.W, image.H = max(0, info.W), max(0, info.H)
	if info.MediaType == "" {
		return
	}
	image.MediaType = info.MediaType
	if in.declared != "" && in.declared != info.MediaType {
		if in.sample.Slices == nil {
			in.sample.Slices = map[string]string{}
		}
		in.sample.Slices[DeclaredMediaType] = in.declared
	}
}

// declared is what a producer says that the bytes are: by header, else by the extension of a unique id that is a file's name.
func declared(mediaType, uniqueID string) string {
	base, _, _ := strings.Cut(mediaType, ";")
	switch base = strings.ToLower(strings.TrimSpace(base)); {
	case base == "image/jpg", base == "image/pjpeg":
		return "image/jpeg"
	case strings.HasPrefix(base, "image/"):
		return strings.Replace(base, "/x-ms-", "/", 1) // image/x-ms-bmp
	}
	switch strings.ToLower(path.Ext(uniqueID)) {
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".png":
		return "image/png"
	case ".webp":
		return "image/webp"
	case ".gif":
		return "image/gif"
	case ".bmp":
		return "image/bmp"
	case ".tif", ".tiff":
		return "image/tiff"
	}
	return ""
}
