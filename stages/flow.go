// Package stages holds the flow of samples from a producer's bytes to labels and back; read flow.go first. Each folder is one
// step of it, says what it needs of the outside as a small interface, and imports schemas only.
package stages

import (
	"errors"
	"fmt"

	"gleaner/schemas"
)

// Step is one node of the flow: it reads the topics In and writes the topics Out. Steps never call each other.
type Step struct {
	Name     string          `json:"name"`
	In       []schemas.Topic `json:"in,omitempty"`
	Out      []schemas.Topic `json:"out,omitempty"`
	Dead     schemas.Topic   `json:"dead,omitempty"`     // where records that it cannot handle go; external steps have none
	Store    string          `json:"store,omitempty"`    // the database that it writes, if any
	External bool            `json:"external,omitempty"` // people and programs outside of the flow
	About    string          `json:"about"`              // one sentence for people
}

// Group is the consumer group in which the step's instances share its topics.
func (s Step) Group() string { return "gleaner-" + s.Name }

// Flow lists the steps from left to right, with the outside world at the ends.
func Flow() []Step {
	const clickhouse = "ClickHouse"
	type topics = []schemas.Topic
	return []Step{
		{
			Name: "producers", External: true, Out: topics{schemas.Raw},
			About: "any Kafka client, or the HTTP task API, pushes image bytes and a few headers",
		},
		{
			Name: "ingest", In: topics{schemas.Raw}, Out: topics{schemas.Samples, schemas.Rejects}, Dead: schemas.Dead,
			About: "stores the image, measures it, and keeps bad ones and duplicates out",
		},
		{
			Name: "prelabel", In: topics{schemas.Samples}, Out: topics{schemas.Prelabeled, schemas.Embedded}, Dead: schemas.Dead,
			About: "the models that serve the dataset label first, and describe images and objects by their features",
		},
		{
			Name: "superpixel", In: topics{schemas.Prelabeled}, Out: topics{schemas.Segmented}, Dead: schemas.Dead,
			About: "groups pixels, so that people edit regions",
		},
		{
			Name: "lint", In: topics{schemas.Segmented, schemas.Submitted}, Out: topics{schemas.Linted}, Dead: schemas.Dead,
			About: "doubts every label, a person's too",
		},
		{
			Name: "route", In: topics{schemas.Linted, schemas.Selections}, Out: topics{schemas.Labels, schemas.Desk, schemas.Selections}, Dead: schemas.Dead,
			About: "accepts a label, or opens a task for people; takes back what analysis asked of people when it is asked",
		},
		{
			Name: "desk", External: true, In: topics{schemas.Desk}, Out: topics{schemas.Desk},
			About: "people claim, edit and submit tasks on the web page; every instance folds the same log",
		},
		{
			Name: "publish", In: topics{schemas.Desk}, Out: topics{schemas.Submitted}, Dead: schemas.Dead,
			About: "turns what people submitted into samples",
		},
		{
			Name: "corrections", In: topics{schemas.Submitted}, Dead: schemas.Dead, Store: clickhouse,
			About: "keeps how the models' proposals and lint's findings fared with people",
		},
		{
			Name: "audit", In: topics{schemas.Desk, schemas.Submitted}, Dead: schemas.Dead, Store: clickhouse,
			About: "keeps which images were drawn at random, and whether people mended what would have been accepted",
		},
		{
			Name: "trainers", External: true, In: topics{schemas.Labels}, Out: topics{schemas.LossRows},
			About: "learn from the labels and send back one loss per object and epoch",
		},
		{
			Name: "analysis", In: topics{schemas.LossRows}, Out: topics{schemas.Selections, schemas.Triggers}, Dead: schemas.Dead, Store: clickhouse,
			About: "keeps the losses, sends the samples that they doubt back to people, and does what rules decide by scores",
		},
		{
			Name: "catalog",
			In: topics{
				schemas.Samples, schemas.Prelabeled, schemas.Segmented, schemas.Linted,
				schemas.Submitted, schemas.Labels, schemas.Rejects, schemas.Embedded,
			},
			Dead: schemas.Dead, Store: clickhouse,
			About: "keeps the latest record of every sample, pixels apart, and its embeddings",
		},
	}
}

// Find returns the step of that name, and whether there is one.
func Find(flow []Step, name string) (Step, bool) {
	for _, s := range flow {
		if s.Name == name {
			return s, true
		}
	}
	return Step{}, false
}

// Validate checks that the graph holds together: unique names, topics that have a specification, a producer for every topic
// that is read, a reader or a store at every end, and a dead letter topic for every step of ours. It reports all that is wrong.
func Validate(flow []Step) error {
	var errs []error
	wrong := func(s Step, format string, args ...any) {
		errs = append(errs, fmt.Errorf("step %q: "+format, append([]any{s.Name}, args...)...))
	}
	names, written := map[string]bool{}, map[schemas.Topic]bool{}
	for _, s := range flow {
		if s.Name == "" {
			wrong(s, "has no name")
		}
		if names[s.Name] {
			wrong(s, "is declared twice")
		}
		names[s.Name] = true
		for _, t := range s.Out {
			written[t] = true
		}
	}
	for _, s := range flow {
		used := append(append([]schemas.Topic{}, s.In...), s.Out...)
		if s.Dead != "" {
			used = append(used, s.Dead)
		}
		for _, t := range used {
			if _, ok := t.Spec(); !ok {
				wrong(s, "topic %q is not in schemas.TopicSpecs", t)
			}
		}
		for _, t := range s.In {
			if !written[t] {
				wrong(s, "reads topic %q, which no step writes", t)
			}
		}
		for _, list := range [][]schemas.Topic{s.In, s.Out} {
			seen := map[schemas.Topic]bool{}
			for _, t := range list {
				if seen[t] {
					wrong(s, "names topic %q twice", t)
				}
				seen[t] = true
			}
		}
		if s.External {
			continue
		}
		if len(s.In) == 0 {
			wrong(s, "reads no topic")
		}
		if len(s.Out) == 0 && s.Store == "" {
			wrong(s, "writes neither a topic nor a store")
		}
		if s.Dead == "" {
			wrong(s, "has no dead letter topic")
		}
		for _, t := range s.In {
			if t == s.Dead {
				wrong(s, "reads its own dead letters: a poison record would circle forever")
			}
		}
	}
	return errors.Join(errs...)
}
