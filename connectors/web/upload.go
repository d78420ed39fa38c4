package web

// The thin task API: one image by POST becomes one record on the raw topic, with the same headers as any Kafka producer sets.

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"sort"
	"strings"
	"time"

	"gleaner/schemas"
)

const maxHeader = 1024 // bytes of a header's value

// accepted is the answer to POST /api/images: the image is on the raw topic, and the sample will have this id.
type accepted struct {
	SampleID schemas.SampleID `json:"sample_id"`
	SHA256   schemas.Hash     `json:"sha256"`
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) error {
	if s.deps.Raw == nil {
		return missing("raw topic")
	}
	data, release, err := s.readBody(w, r, s.cfg.MaxImage)
	if err != nil {
		return err
	}
	defer release()
	rec, ans, err := rawRecord(r.Header, data)
	if err != nil {
		return problem(http.StatusBadRequest, err.Error(), "POST the image bytes with the header dataset: NAME and, optionally, unique-id, task and slice.KEY")
	}
	rec.Time = time.Now().UTC()
	if err := s.deps.Raw.Write(r.Context(), []schemas.Record{rec}); err != nil {
		if errors.Is(err, schemas.ErrTooLarge) {
			return problem(http.StatusRequestEntityTooLarge, "the image and its headers are larger than the raw topic takes", "send less, or send a reference ("+schemas.MediaTypeRef+")")
		}
		return fmt.Errorf("web: write raw record of dataset %s: %w", r.Header.Get(schemas.HeaderDataset), err)
	}
	return writeJSON(w, http.StatusAccepted, ans)
}

// rawRecord makes the raw topic's record of an HTTP request: HTTP headers carry the names that Kafka headers have.
func rawRecord(h http.Header, data []byte) (schemas.Record, accepted, error) {
	var rec schemas.Record
	var ans accepted
	if len(data) == 0 {
		return rec, ans, errors.New("the body is empty")
	}
	dataset, uniqueID := h.Get(schemas.HeaderDataset), h.Get(schemas.HeaderUniqueID)
	if dataset == "" {
		return rec, ans, errors.New("the header dataset is missing")
	}
	if err := schemas.CheckDataset(dataset); err != nil {
		return rec, ans, fmt.Errorf("the header dataset: %w", err)
	}
	rec = schemas.Record{Topic: schemas.Raw, Value: data}
	if uniqueID != "" {
		rec.Key = []byte(uniqueID)
	}
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || media != schemas.MediaTypeRef && !strings.HasPrefix(media, "image/") {
		media = "" // left to ingest, which looks at the bytes
	}
	content := schemas.Hash(sha256.Sum256(data))
	if media == schemas.MediaTypeRef {
		var ref schemas.Ref
		if err := decodeJSON(data, &ref); err != nil {
			return rec, ans, fmt.Errorf("reference: %w", err)
		}
		if ref.URL == "" || ref.SHA256 == (schemas.Hash{}) {
			return rec, ans, errors.New(`reference: want {"url": …, "sha256": 64 hex digits}, both set`)
		}
		content = ref.SHA256
	}
	ans = accepted{SampleID: schemas.NewSampleID(dataset, uniqueID, content), SHA256: content}

	add := func(key, value string) {
		if value == "" || err != nil {
			return
		}
		if len(value) > maxHeader || !printable(value) {
			err = fmt.Errorf("the header %s must be at most %d bytes of printable UTF-8", key, maxHeader)
			return
		}
		rec.Headers = append(rec.Headers, schemas.Header{Key: key, Value: []byte(value)})
	}
	err = nil
	add(schemas.HeaderDataset, dataset)
	add(schemas.HeaderUniqueID, uniqueID)
	add(schemas.HeaderMediaType, media)
	add(schemas.HeaderTask, h.Get(schemas.HeaderTask))
	add(schemas.HeaderTrace, h.Get(schemas.HeaderTrace))
	var slices []string
	for name := range h {
		if strings.HasPrefix(strings.ToLower(name), schemas.HeaderSlice) {
			slices = append(slices, name)
		}
	}
	sort.Strings(slices)
	for _, name := range slices {
		add(strings.ToLower(name), h.Get(name))
	}
	return rec, ans, err
}
