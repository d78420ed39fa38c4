package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gleaner/connectors/web"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

// TestAwaitForce asks a process that gives one answer after the other, and the last one for ever.
func TestAwaitForce(t *testing.T) {
	asked := schemas.Serving{Dataset: "street", ModelSet: schemas.ModelSet{Models: []string{"a@2"}}, At: time.Unix(2, 0).UTC()}
	before := schemas.InForce{ModelSet: schemas.ModelSet{Models: []string{"a@1"}}, Asked: time.Unix(1, 0).UTC()}
	now := schemas.InForce{ModelSet: asked.ModelSet, Asked: asked.At}
	missing, refused := before, before
	missing.Asked, missing.Why = asked.At, "its file is missing"
	refused.Asked, refused.Why, refused.Refused = asked.At, "it is corrupt", true
	const within = 10 * askEvery
	for name, c := range map[string]struct {
		answers []schemas.InForce
		want    string // of the error
	}{
		"loaded after a while":  {[]schemas.InForce{before, missing, now}, ""},
		"refused":               {[]schemas.InForce{before, refused}, "dataset street: a@2: refused, and what served before goes on: it is corrupt"},
		"loaded for too long":   {[]schemas.InForce{before}, "dataset street: a@2: not in force after 500ms: its models are still being loaded. It is tried"},
		"missing for too long":  {[]schemas.InForce{missing}, "not in force after 500ms: its file is missing"},
		"prelabel is elsewhere": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			asks := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				var s web.Status
				if len(c.answers) > 0 {
					s.Serving = map[string]schemas.InForce{"street": c.answers[min(asks, len(c.answers)-1)]}
				}
				asks++
				if err := json.NewEncoder(w).Encode(s); err != nil {
					t.Error(err)
				}
			}))
			defer server.Close()
			err := awaitForce(t.Context(), &wire.Connections{At: wire.Endpoints{Web: server.URL}}, asked, within)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if asks < len(c.answers) {
				t.Errorf("%d of %d answers were heard", asks, len(c.answers))
			}
		})
	}
}

func TestStanding(t *testing.T) {
	asked := schemas.Serving{Dataset: "street", ModelSet: schemas.ModelSet{Models: []string{"a@2"}}, At: time.Unix(2, 0)}
	for want, now := range map[string]schemas.InForce{
		"":                                 {ModelSet: asked.ModelSet, Asked: asked.At},
		"; in force: a@1 (not loaded yet)": {ModelSet: schemas.ModelSet{Models: []string{"a@1"}}, Asked: time.Unix(1, 0), Why: "of before"},
		"; in force: no models of its own (its file is short)": {Asked: asked.At, Why: "its file is short."},
		"; in force: none, samples wait (its file is short)":   {Asked: asked.At, Why: "its file is short", Waits: true},
	} {
		if got := standing(asked, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
