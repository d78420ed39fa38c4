package schemas

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// DatasetEntry tells the entries of the datasets topic apart.
type DatasetEntry struct {
	Kind string `json:"kind"` // KindRules; empty: a DatasetVersion
}

// KindRules is the kind of DatasetRules.
const KindRules = "rules"

// DatasetRules is what a dataset wants labeled and how: a registry entry on the datasets topic, keyed by Key. Its content never
// changes; the entry that was appended last is the one in force, so that appending an old one again goes back to it. In YAML
// it is the file that people write, without the fields of the registry.
type DatasetRules struct {
	Kind    string    `json:"kind,omitempty" yaml:"-"`    // KindRules
	ID      string    `json:"id,omitempty" yaml:"-"`      // dataset@version
	Version string    `json:"version,omitempty" yaml:"-"` // first 12 hex digits of the SHA-256 of the content's canonical JSON
	At      time.Time `json:"at,omitzero" yaml:"-"`       // when it came into force

	Dataset  string `json:"dataset" yaml:"dataset"`
	Taxonomy string `json:"taxonomy,omitempty" yaml:"taxonomy,omitempty"` // name@version that the canonical classes are of
	// TargetQuality is the share of automatically accepted images without an error that a reviewer would mend, [.5,.995]; 0: no image
	// is accepted by a guarantee. AuditShare is the share of images that people check all the same, from LeastAudit to 1; 0: the default.
	TargetQuality float64 `json:"target_quality,omitempty" yaml:"target_quality,omitempty"`
	AuditShare    float64 `json:"audit_share,omitempty" yaml:"audit_share,omitempty"`
	// AcceptBeforeAudits lets images be accepted from the configured threshold of confidence (accept_above) on until audits speak for
	// another, or against it. Without it the configured threshold does not count where there is a TargetQuality.
	AcceptBeforeAudits bool `json:"accept_before_audits,omitempty" yaml:"accept_before_audits,omitempty"`

	Objects    []ObjectRule `json:"objects,omitempty" yaml:"objects,omitempty"`       // the classes wanted; none: all are
	Predicates []Predicate  `json:"predicates,omitempty" yaml:"predicates,omitempty"` // each about one object
	Image      []Predicate  `json:"image,omitempty" yaml:"image,omitempty"`           // each about all objects of an image
	Decisions  []Decision   `json:"decisions,omitempty" yaml:"decisions,omitempty"`   // each from scores to an action
}

// LeastAudit is the least share of images, (0,1], that has to be audited for a target quality to be watched: of AcceptanceWindow images
// with just as many errors as the target allows, audits find one and a half. With fewer, slow changes come through
// (BENCHMARKS.md, automatic acceptance).
func LeastAudit(target float64) float64 { return min(1.5/(AcceptanceWindow*(1-target))-1e-9, 1) }

// ObjectRule says how one class is labeled.
type ObjectRule struct {
	Class      string          `json:"class" yaml:"class"`
	Canonical  string          `json:"canonical,omitempty" yaml:"canonical,omitempty"` // its class in the taxonomy
	MinSize    MinSize         `json:"min_size,omitzero" yaml:"min_size,omitempty"`    // smaller things are not labeled
	Attributes []AttributeRule `json:"attributes,omitempty" yaml:"attributes,omitempty"`
	Occlusion  Occlusion       `json:"occlusion,omitzero" yaml:"occlusion,omitempty"`
	Truncation Policy          `json:"truncation,omitempty" yaml:"truncation,omitempty"` // of things that the image's edge cuts
	MaxCount   int             `json:"max_count,omitempty" yaml:"max_count,omitempty"`   // in one image; 0: any number
	Severity   Severity        `json:"severity,omitempty" yaml:"severity,omitempty"`     // of what violates this rule; empty: error
}

// MinSize is the least size of a box; what is 0 does not matter.
type MinSize struct {
	Width  float64  `json:"width,omitempty" yaml:"width,omitempty"`
	Height float64  `json:"height,omitempty" yaml:"height,omitempty"`
	Area   float64  `json:"area,omitempty" yaml:"area,omitempty"`
	Unit   SizeUnit `json:"unit,omitempty" yaml:"unit,omitempty"` // empty: pixels
}

// SizeUnit is the unit of a MinSize.
type SizeUnit string

// The units.
const (
	SizePixels SizeUnit = "pixels" // of the upright image; areas in square pixels
	SizeShare  SizeUnit = "share"  // of the image's width, height or area, [0,1]
)

// AttributeRule is a property of the objects of a class beside their box.
type AttributeRule struct {
	Name     string   `json:"name" yaml:"name"`
	Values   []string `json:"values,omitempty" yaml:"values,omitempty"` // none: any text
	Required bool     `json:"required,omitempty" yaml:"required,omitempty"`
}

// Attributes that the policies of occlusion and truncation read.
const (
	AttributeOccluded  = "occluded"  // the hidden share of an object, [0,1]
	AttributeTruncated = "truncated" // "true" where the image's edge cuts an object
)

// Policy says what becomes of a thing that is not wholly visible.
type Policy string

// The policies.
const (
	PolicyLabel Policy = "label" // it is labeled like any other; the default
	PolicySkip  Policy = "skip"  // it is not labeled
	PolicyMark  Policy = "mark"  // it is labeled, and its attribute says so
)

// Occlusion is the policy for things that others hide.
type Occlusion struct {
	Policy Policy  `json:"policy,omitempty" yaml:"policy,omitempty"`
	Above  float64 `json:"above,omitempty" yaml:"above,omitempty"` // with skip: things whose hidden share is greater, [0,1)
}

// Predicate is a condition in CEL that no label of the dataset may meet.
type Predicate struct {
	Name     string   `json:"name" yaml:"name"` // unique in the dataset's rules
	When     string   `json:"when" yaml:"when"` // true: violated
	Message  string   `json:"message" yaml:"message"`
	Severity Severity `json:"severity,omitempty" yaml:"severity,omitempty"` // empty: error
	Applies  Applies  `json:"applies,omitempty" yaml:"applies,omitempty"`   // empty: label
}

// Applies says what a predicate is about.
type Applies string

// What predicates apply to.
const (
	AppliesLabel    Applies = "label"    // labels, whoever made them
	AppliesProposal Applies = "proposal" // what a model sees: it is dropped
	AppliesBoth     Applies = "both"
)

// Identified returns r with its kind, version and id, which follow from the content alone, in force from at on.
func (r DatasetRules) Identified(at time.Time) (DatasetRules, error) {
	r.Kind, r.ID, r.Version, r.At = "", "", "", time.Time{}
	content, err := CanonicalJSON(r)
	if err != nil {
		return r, fmt.Errorf("rules of dataset %s: %w", r.Dataset, err)
	}
	r.Kind, r.At = KindRules, at.UTC().Truncate(time.Microsecond)
	r.Version = Hash(sha256.Sum256(content)).String()[:12]
	r.ID = r.Dataset + "@" + r.Version
	return r, nil
}

// Key is the key of the record: dataset versions have their id alone.
func (r DatasetRules) Key() []byte { return []byte("rules/" + r.ID) }
