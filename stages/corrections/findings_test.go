package corrections

import (
	"strconv"
	"testing"

	"gleaner/schemas"
)

// animals is a taxonomy of dogs and cats.
func animals(_, class string) []string {
	if class == "dog" || class == "cat" {
		return []string{class, "animal"}
	}
	return []string{class}
}

// TestJudgeFindings: one finding, what was shown with it and what was submitted.
func TestJudgeFindings(t *testing.T) {
	was, fix := box(100, 100, 200, 200), box(110, 100, 200, 200)
	about := func(kind schemas.FindingType) schemas.Finding {
		return schemas.Finding{Type: kind, ObjectID: "o1", Class: "dog", Box: was, Score: 0.75, Why: "Doubt."}
	}
	location := about(schemas.FindingLoose)
	location.Fix = &fix
	renaming := about(schemas.FindingTwin)
	renaming.FixClass = "cat"
	moving := about(schemas.FindingTwin)
	moving.Fix = &fix
	missing := schemas.Finding{Type: schemas.FindingMissing, Class: "dog", Box: was, Fix: &was, Score: 0.75, Why: "A dog."}
	overhanging := about(schemas.FindingSpurious)
	overhanging.Box.X2 = 700
	vague, named := about(schemas.FindingSwap), about(schemas.FindingSwap)
	vague.Class, named.Class, named.FixClass = "animal", "animal", "cat"
	type objects = []schemas.Object
	for name, c := range map[string]struct {
		f         schemas.Finding
		now       objects
		overrides []schemas.Override
		want      schemas.Judged
	}{
		"missing, added":                        {missing, objects{label("h1", "dog", was)}, nil, schemas.JudgedFixed},
		"missing, added by another class":       {missing, objects{label("h1", "cat", was)}, nil, schemas.JudgedFixed},
		"missing, added elsewhere":              {missing, objects{label("h1", "dog", box(300, 100, 400, 200))}, nil, schemas.JudgedPassed},
		"missing, none there":                   {missing, nil, []schemas.Override{missing.Settle("a statue")}, schemas.JudgedKept},
		"spurious, deleted":                     {about(schemas.FindingSpurious), nil, nil, schemas.JudgedFixed},
		"spurious, renamed":                     {about(schemas.FindingSpurious), objects{label("o1", "cat", was)}, nil, schemas.JudgedPassed},
		"spurious, moved to something else":     {about(schemas.FindingSpurious), objects{label("o1", "dog", box(300, 100, 400, 200))}, nil, schemas.JudgedFixed},
		"spurious, made tighter":                {about(schemas.FindingSpurious), objects{label("o1", "dog", fix)}, nil, schemas.JudgedPassed},
		"spurious, as it was":                   {about(schemas.FindingSpurious), objects{label("o1", "dog", was)}, nil, schemas.JudgedPassed},
		"spurious, drawn anew":                  {about(schemas.FindingSpurious), objects{label("h1", "dog", fix)}, nil, schemas.JudgedPassed},
		"spurious, cut to the image":            {overhanging, objects{label("o1", "dog", box(100, 100, 640, 200))}, nil, schemas.JudgedPassed},
		"location, moved":                       {location, objects{label("o1", "dog", box(104, 100, 200, 200))}, nil, schemas.JudgedFixed},
		"location, touched":                     {location, objects{label("o1", "dog", box(100.2, 100, 200, 200))}, nil, schemas.JudgedPassed},
		"location, drawn anew where it was":     {location, objects{label("h1", "dog", box(104, 100, 200, 200))}, nil, schemas.JudgedPassed},
		"location, drawn anew elsewhere":        {location, objects{label("h1", "dog", box(120, 100, 200, 200))}, nil, schemas.JudgedFixed},
		"location, renamed":                     {location, objects{label("o1", "cat", was)}, nil, schemas.JudgedPassed},
		"location, renamed and moved":           {location, objects{label("o1", "cat", fix)}, nil, schemas.JudgedFixed},
		"location, deleted":                     {location, nil, nil, schemas.JudgedFixed},
		"location, kept though another drew it": {location, objects{label("h1", "dog", fix)}, []schemas.Override{location.Settle("hair")}, schemas.JudgedKept},
		"duplicate, deleted":                    {about(schemas.FindingDuplicate), objects{label("o2", "dog", fix)}, nil, schemas.JudgedFixed},
		"duplicate, the other deleted":          {about(schemas.FindingDuplicate), objects{label("o1", "dog", was)}, nil, schemas.JudgedFixed},
		"duplicate, both drawn anew":            {about(schemas.FindingDuplicate), objects{label("h1", "dog", was), label("h2", "dog", fix)}, nil, schemas.JudgedPassed},
		"duplicate, one renamed":                {about(schemas.FindingDuplicate), objects{label("o1", "cat", was), label("o2", "dog", fix)}, nil, schemas.JudgedPassed},
		"duplicate, the other deleted, renamed": {about(schemas.FindingDuplicate), objects{label("o1", "cat", was)}, nil, schemas.JudgedFixed},
		"swap, renamed":                         {about(schemas.FindingSwap), objects{label("o1", "cat", was)}, nil, schemas.JudgedFixed},
		"swap, made tighter":                    {about(schemas.FindingSwap), objects{label("o1", "dog", fix)}, nil, schemas.JudgedPassed},
		"swap, a super-class named":             {vague, objects{label("o1", "dog", was)}, nil, schemas.JudgedPassed},
		"swap, another class than below":        {vague, objects{label("o1", "car", was)}, nil, schemas.JudgedFixed},
		"swap, a super-class named as it said":  {named, objects{label("o1", "cat", was)}, nil, schemas.JudgedFixed},
		"swap, made the super-class":            {about(schemas.FindingSwap), objects{label("o1", "animal", was)}, nil, schemas.JudgedFixed},
		"degenerate, moved":                     {about(schemas.FindingDegenerate), objects{label("o1", "dog", fix)}, nil, schemas.JudgedFixed},
		"twin, renamed":                         {renaming, objects{label("o1", "cat", was)}, nil, schemas.JudgedFixed},
		"twin, moved but not renamed":           {renaming, objects{label("o1", "dog", fix)}, nil, schemas.JudgedPassed},
		"twin, renamed but not moved":           {moving, objects{label("o1", "cat", was)}, nil, schemas.JudgedPassed},
		"twin, renamed but not deleted":         {about(schemas.FindingTwin), objects{label("o1", "cat", was)}, nil, schemas.JudgedPassed},
		"twin, moved":                           {moving, objects{label("o1", "dog", box(104, 100, 200, 200))}, nil, schemas.JudgedFixed},
		"twin, deleted":                         {about(schemas.FindingTwin), nil, nil, schemas.JudgedFixed},
		"twin, moved but not deleted":           {about(schemas.FindingTwin), objects{label("o1", "dog", fix)}, nil, schemas.JudgedPassed},
		"loss, renamed":                         {about(schemas.FindingLoss), objects{label("o1", "cat", was)}, nil, schemas.JudgedFixed},
		"loss, kept":                            {about(schemas.FindingLoss), objects{label("o1", "dog", was)}, []schemas.Override{about(schemas.FindingLoss).Settle("rare")}, schemas.JudgedKept},
		"a rule":                                {about(schemas.FindingRule), nil, nil, ""},
		"a finding that points nowhere":         {schemas.Finding{Type: schemas.FindingLoss, Score: 0.5}, nil, nil, ""},
	} {
		s := sample("a", nil, c.now)
		s.Findings, s.Overrides = []schemas.Finding{c.f}, c.overrides
		got := JudgeFindings(&s, animals)
		switch {
		case c.want == "":
			if len(got) != 0 {
				t.Errorf("%s: judged %+v", name, got)
			}
		case len(got) != 1 || got[0].Outcome != c.want || (got[0].Reason != "") != (c.want == schemas.JudgedKept):
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		case got[0].SampleID != s.ID || got[0].Revision != 4 || got[0].Actor != "ana" || got[0].At != submitted || got[0].Score != 0.75:
			t.Errorf("%s: %+v", name, got[0])
		}
	}
	s := sample("a", nil, nil)
	s.Rank, s.Findings = schemas.RankAutomatic, []schemas.Finding{missing}
	if got := JudgeFindings(&s, animals); len(got) != 0 {
		t.Errorf("judged without a person: %+v", got)
	}
	s.Rank, s.Stamps = schemas.RankHuman, nil
	if got := JudgeFindings(&s, animals); len(got) != 0 {
		t.Errorf("judged of a sample that no desk made: %+v", got)
	}
}

// One submission teaches little: of doubles only the first counts, and of many findings only so many.
func TestJudgedOnce(t *testing.T) {
	was := box(100, 100, 200, 200)
	loose := schemas.Finding{Type: schemas.FindingLoose, ObjectID: "o1", Class: "dog", Box: was, Score: 0.75}
	again := loose
	again.Score = 0.5
	missing := schemas.Finding{Type: schemas.FindingMissing, Class: "dog", Box: was, Score: 0.5}
	beside := missing
	beside.Box.X2 += 2
	s := sample("a", nil, []schemas.Object{label("o1", "dog", was)})
	s.Findings = []schemas.Finding{loose, again, missing, beside}
	if got := JudgeFindings(&s, animals); len(got) != 2 || got[0].Index != 0 || got[1].Index != 2 {
		t.Errorf("judged %+v", got)
	}
	s.Findings = nil
	for i := range 5000 {
		f := loose
		f.ObjectID = strconv.Itoa(i)
		s.Findings = append(s.Findings, f)
	}
	if got := JudgeFindings(&s, animals); len(got) != mostJudged {
		t.Errorf("%d judgments of one submission", len(got))
	}
}
