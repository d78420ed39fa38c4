package schemas

import "net/url"

// Keys of the blob store. Datasets are escaped so that no name leaves its folder.

// ImageKey is where an image's encoded bytes lie.
func ImageKey(h Hash) string { s := h.String(); return "images/" + s[:2] + "/" + s }

// OwnerKey holds the Claim of the sample that first brought these bytes into the dataset: created if absent, never overwritten.
func OwnerKey(dataset string, h Hash) string {
	return "owners/" + url.PathEscape(dataset) + "/" + h.String()
}

// ContentKey holds the Claim to the bytes that first came under this sample id: created if absent, never overwritten.
func ContentKey(id SampleID) string { return "contents/" + id.String() }

// Claim says whose some bytes are: their hex digest, then the sample's hex id. Older stores have the digest alone
// under ContentKey and the id alone under OwnerKey.
type Claim string

// NewClaim is the claim of a sample to an image.
func NewClaim(image Hash, id SampleID) Claim { return Claim(image.String() + id.String()) }

// Image is the hex digest of the bytes that are claimed, of a claim under ContentKey.
func (c Claim) Image() string { return string(c[:min(len(c), 2*len(Hash{}))]) }

// Sample is the hex id of the sample that claims them, of a claim under OwnerKey; empty: nobody does.
func (c Claim) Sample() string { return string(c[max(0, len(c)-2*len(SampleID{})):]) }

// GroupKey holds the hex id of the sample's near-duplicate group, where it joined another's when it was let in: created if
// absent, never overwritten.
func GroupKey(id SampleID) string { return "groups/" + id.String() }

// BodyKey is where a content-addressed desk body lies (a sample record, a draft, a mask).
func BodyKey(h Hash) string { s := h.String(); return "bodies/" + s[:2] + "/" + s }

// DrawKey holds the Draw of a sample: created if absent, never overwritten, so that a sample is drawn once or not at all.
func DrawKey(id SampleID) string { return "draws/" + id.String() }

// AnsweredKey holds the Answered of a sample's task.
func AnsweredKey(id SampleID) string { return "answered/" + id.String() }

// AuditKey holds the Audit of a sample, as JSON: created if absent, never overwritten, since who sees a sample again knows more.
func AuditKey(id SampleID) string { return "audits/" + id.String() }

// RecallKey holds how far the recall of a withdrawn acceptance is, by the id of its selections: "folded" the time, RFC 3339, at which
// a process first read of it, and "done" that nothing more is to be sent. Each is created if absent, never overwritten.
func RecallKey(id, what string) string { return "recalls/" + url.PathEscape(id) + "/" + what }

// TombstonePrefix is the folder of the tombstones.
const TombstonePrefix = "tombstones/"

// TombstoneKey marks an erased sample: every store obeys it.
func TombstoneKey(id SampleID) string { return TombstonePrefix + id.String() }

// DeskSnapshotPrefix is the folder of the desk's snapshots for one genesis.
func DeskSnapshotPrefix(genesis string) string { return "desk/" + url.PathEscape(genesis) + "/" }

// MembersKey is where the member list of a dataset version lies.
func MembersKey(versionID string) string { return "datasets/" + url.PathEscape(versionID) }

// SelectionKey is where the picks of a selection lie that is too large for its topic, as a JSON array of Pick.
func SelectionKey(id string) string { return "selections/" + url.PathEscape(id) }

// ModelKey is where a model's file lies, named by its content.
func ModelKey(h Hash) string { s := h.String(); return "models/" + s[:2] + "/" + s }

// ModelEntryKey holds the registry entry of a model: created if absent, never overwritten, so that of racing writers one
// decides what an id means.
func ModelEntryKey(id string) string { return "model-entries/" + url.PathEscape(id) }
