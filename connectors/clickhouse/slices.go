package clickhouse

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// inSlices is a condition on the column slices of a view that has the producer's and the discovered: all of the wanted values.
func inSlices(wanted map[string]string) (condition string, args []any) {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		parts, args = append(parts, "slices[?] = ?"), append(args, name, wanted[name])
	}
	return strings.Join(parts, " AND "), args
}

// Sliced returns those samples of a dataset that have all of the wanted values of slices, at least one, the producer's or discovered: of
// those with a label where labeled, else of all that the catalog has. Memory: some 40 bytes a sample.
func (db *DB) Sliced(ctx context.Context, dataset string, labeled bool, wanted map[string]string) (map[schemas.SampleID]bool, error) {
	view := "sample_latest"
	if labeled {
		view = "label_latest"
	}
	within, args := inSlices(wanted)
	out := map[schemas.SampleID]bool{}
	err := db.rows(ctx, "read slices of "+dataset, func() { clear(out) }, func(rows driver.Rows) error {
		var id []byte
		err := rows.Scan(&id)
		out[schemas.SampleID(id)] = true
		return err
	}, "SELECT sample_id FROM "+view+" WHERE dataset = ? AND "+within, append([]any{dataset}, args...)...)
	return out, err
}

// SliceValue is one value of a slice of a dataset.
type SliceValue struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Samples uint64 `json:"samples"`
	Model   string `json:"model,omitempty"` // name@version, by whose embeddings it was discovered; empty: it is the producer's
	Layer   string `json:"layer,omitempty"`
}

// MaxSliceValues bounds how many values of a slice are listed: a producer may give every sample one of its own.
const MaxSliceValues = 1000

// Slices lists the values of the slices that a dataset's samples have, the producer's first, then by name, the most frequent first, at
// most MaxSliceValues of each.
func (db *DB) Slices(ctx context.Context, dataset string) ([]SliceValue, error) {
	out := []SliceValue{}
	err := db.rows(ctx, "list slices of "+dataset, func() { out = out[:0] }, func(rows driver.Rows) error {
		var s SliceValue
		err := rows.Scan(&s.Name, &s.Value, &s.Samples, &s.Model, &s.Layer)
		out = append(out, s)
		return err
	}, `SELECT name, value, samples, model, layer FROM
(
    SELECT key::String AS name, text AS value, count() AS samples, '' AS model, '' AS layer
    FROM samples FINAL ARRAY JOIN mapKeys(slices) AS key, mapValues(slices) AS text WHERE dataset = ? GROUP BY name, value
    UNION ALL
    SELECT d.name::String AS name, d.value::String AS value, count() AS samples, any(d.model)::String AS model, any(d.layer)::String AS layer
    FROM slice_members AS d WHERE d.dataset = ? GROUP BY name, value
)
ORDER BY model != '', name, samples DESC, value LIMIT ? BY model != '', name`, dataset, dataset, MaxSliceValues)
	return out, err
}

// SliceOverlap is how many samples of a discovered value have a producer's value.
type SliceOverlap struct {
	Name, Value         string // discovered
	OfName, OfValue     string // the producer's
	Samples, SamplesAll uint64 // of this value; of all values of the discovered slice
}

// SliceOverlaps returns where at least so many samples of a discovered value share a producer's value.
func (db *DB) SliceOverlaps(ctx context.Context, dataset string, atLeast uint64) ([]SliceOverlap, error) {
	var out []SliceOverlap
	err := db.rows(ctx, "compare slices of "+dataset, func() { out = nil }, func(rows driver.Rows) error {
		var o SliceOverlap
		err := rows.Scan(&o.Name, &o.Value, &o.OfName, &o.OfValue, &o.Samples, &o.SamplesAll)
		out = append(out, o)
		return err
	}, `SELECT * FROM
(
    SELECT name, value, of_name, of_value, samples, sum(samples) OVER (PARTITION BY name, of_name, of_value) AS samples_all FROM
    (
        SELECT d.name::String AS name, d.value::String AS value, s.key::String AS of_name, s.text AS of_value, count() AS samples
        FROM (SELECT sample_id, key, text FROM samples FINAL ARRAY JOIN mapKeys(slices) AS key, mapValues(slices) AS text WHERE dataset = ?) AS s
        INNER JOIN (SELECT sample_id, name, value FROM slice_members WHERE dataset = ?) AS d ON d.sample_id = s.sample_id
        GROUP BY name, value, of_name, of_value
    )
)
WHERE samples >= ? ORDER BY name, value, of_name, of_value`, dataset, dataset, atLeast)
	return out, err
}

// Discovered is a sample's value of a discovered slice.
type Discovered struct {
	SampleID schemas.SampleID
	UniqueID string // as the catalog has it; not written
	Name     string // of the slice; not written
	Value    string
	Distance float64 // Euclidean, from the center of its cluster, of vectors of length 1: 0 to 2
}

// NearestToCenters returns of each discovered value the n samples nearest to its center, nearest first.
func (db *DB) NearestToCenters(ctx context.Context, dataset string, n int) ([]Discovered, error) {
	var out []Discovered
	err := db.rows(ctx, "read discovered slices of "+dataset, func() { out = nil }, func(rows driver.Rows) error {
		var d Discovered
		var id []byte
		err := rows.Scan(&id, &d.UniqueID, &d.Name, &d.Value, &d.Distance)
		copy(d.SampleID[:], id)
		out = append(out, d)
		return err
	}, `SELECT d.sample_id, s.unique_id, d.name::String, d.value::String, d.distance
FROM (SELECT sample_id, unique_id FROM samples FINAL WHERE dataset = ?) AS s
RIGHT JOIN
(
    SELECT sample_id, name, value, distance FROM slice_members WHERE dataset = ? ORDER BY distance, sample_id LIMIT ? BY name, value
) AS d ON d.sample_id = s.sample_id
ORDER BY d.name, d.value, d.distance, d.sample_id`, dataset, dataset, n)
	return out, err
}

// Discovery is one discovery of a slice. Nobody sees its rows before it is published.
type Discovery struct {
	Dataset, Name string
	Space         Space     // whose embeddings it goes by; zero: it finds nothing, and so takes the slice back
	Began         time.Time // by the server's clock, but after what is published; another of the same slice has another
}

// BeginDiscovery begins one. It writes nothing. Where the clock has been put back behind the discovery that is published, it begins at
// random within the second after that one, since others may begin as well.
func (db *DB) BeginDiscovery(ctx context.Context, dataset, name string, space Space) (Discovery, error) {
	d := Discovery{Dataset: dataset, Name: name, Space: space}
	err := db.rows(ctx, "begin to discover slice "+name+" of "+dataset, func() {}, func(rows driver.Rows) error { return rows.Scan(&d.Began) },
		`SELECT if(now64(6, 'UTC') > max(discovery), now64(6, 'UTC'), max(discovery) + toIntervalMicrosecond(1 + rand() % 1000000))
FROM slice_discoveries WHERE dataset = ? AND name = ?`, dataset, name)
	return d, err
}

// PutDiscovered adds rows to a discovery, each a sample's value. It blocks until they are durable; the same row twice is one.
func (db *DB) PutDiscovered(ctx context.Context, d Discovery, found []Discovered) error {
	n := len(found)
	if n == 0 {
		return nil
	}
	ids, values, distances := make([]schemas.SampleID, n), make([]string, n), make([]float64, n)
	for i, f := range found {
		ids[i], values[i], distances[i] = f.SampleID, f.Value, f.Distance
	}
	return db.insert(ctx, "discovered_slices", "", []column{
		{"dataset", slices.Repeat([]string{d.Dataset}, n)},
		{"name", slices.Repeat([]string{d.Name}, n)},
		{"sample_id", idBytes(ids)},
		{"value", values},
		{"distance", distances},
		{"model", slices.Repeat([]string{d.Space.Model}, n)},
		{"layer", slices.Repeat([]string{d.Space.Layer}, n)},
		{"at", slices.Repeat([]time.Time{d.Began}, n)},
		{"discovery", slices.Repeat([]time.Time{d.Began}, n)},
	})
}

// PublishDiscovery makes the rows of a discovery the values of its slice, all at once, and removes those of earlier ones. Where one that
// began later is published already, that one counts, stands is false, and the rows of this one are removed. It blocks until that is done.
func (db *DB) PublishDiscovery(ctx context.Context, d Discovery) (stands bool, err error) {
	if err := db.insert(ctx, "slice_discoveries", "", []column{
		{"dataset", []string{d.Dataset}}, {"name", []string{d.Name}}, {"discovery", []time.Time{d.Began}},
	}); err != nil {
		return false, err
	}
	var counts time.Time
	err = db.rows(ctx, "read which discovery of slice "+d.Name+" of "+d.Dataset+" counts", func() {}, func(rows driver.Rows) error { return rows.Scan(&counts) },
		"SELECT max(discovery) FROM slice_discoveries WHERE dataset = ? AND name = ?", d.Dataset, d.Name)
	if err != nil {
		return false, err
	}
	return counts.Equal(d.Began), db.exec(ctx, "remove earlier discoveries of slice "+d.Name+" of "+d.Dataset,
		"ALTER TABLE discovered_slices DELETE WHERE dataset = ? AND name = ? AND toUnixTimestamp64Micro(discovery) < ? SETTINGS mutations_sync = 2",
		d.Dataset, d.Name, counts.UnixMicro())
}

// RenameDiscovered gives a value of a discovered slice another name; where there is one of that name they are one from then on. It
// blocks until that is done.
func (db *DB) RenameDiscovered(ctx context.Context, dataset, name, from, to string) error {
	return db.exec(ctx, "rename "+from+" of slice "+name+" of "+dataset,
		"ALTER TABLE discovered_slices UPDATE value = ? WHERE dataset = ? AND name = ? AND value = ?"+
			" AND discovery = (SELECT max(discovery) FROM slice_discoveries WHERE dataset = ? AND name = ?) SETTINGS mutations_sync = 2",
		to, dataset, name, from, dataset, name)
}
