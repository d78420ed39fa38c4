package schemas

// Losses is a table of losses in columns: row i is element i of every slice; all have equal length. One message on the
// losses topic is one table of thousands of rows, keyed by run id.
//
// The identity of a row is (RunID, SampleID, ObjectID, Epoch); Attempt says which try of the run wrote it, and the highest wins.
type Losses struct {
	RunID    []string
	Attempt  []uint32 // 1 for a first run, incremented by every resume
	Model    []string
	Dataset  []string
	SampleID []SampleID
	ObjectID []string // empty for the loss of the whole image
	Epoch    []uint32
	Step     []uint64  // optimizer steps before this presentation
	Loss     []float32 // raw cross-entropy in nats at presentation, no weights, no smoothing; NaN is kept and counted
	Correct  []bool    // argmax equals the label
	Margin   []float32 // logit of the label minus the largest other logit; NaN when unknown, as are the next two
	PTrue    []float32 // probability of the label, [0,1]
	EL2N     []float32 // L2 norm of (probabilities - one-hot)
	EmbNorm  []float32 // L2 norm of the embedding; 0 when unknown
	Forgot   []bool    // correct at the previous presentation, wrong now
	Lineage  []string  // Object.Lineage; of a class that a person named, that of the class in its dataset; empty: unknown
}

// Len is the number of rows.
func (l *Losses) Len() int { return len(l.RunID) }

// LossRow is one row of Losses.
type LossRow struct {
	RunID    string
	Attempt  uint32
	Model    string
	Dataset  string
	SampleID SampleID
	ObjectID string
	Epoch    uint32
	Step     uint64
	Loss     float32
	Correct  bool
	Margin   float32
	PTrue    float32
	EL2N     float32
	EmbNorm  float32
	Forgot   bool
	Lineage  string
}

// Append adds one row.
func (l *Losses) Append(r LossRow) {
	l.RunID = append(l.RunID, r.RunID)
	l.Attempt = append(l.Attempt, r.Attempt)
	l.Model = append(l.Model, r.Model)
	l.Dataset = append(l.Dataset, r.Dataset)
	l.SampleID = append(l.SampleID, r.SampleID)
	l.ObjectID = append(l.ObjectID, r.ObjectID)
	l.Epoch = append(l.Epoch, r.Epoch)
	l.Step = append(l.Step, r.Step)
	l.Loss = append(l.Loss, r.Loss)
	l.Correct = append(l.Correct, r.Correct)
	l.Margin = append(l.Margin, r.Margin)
	l.PTrue = append(l.PTrue, r.PTrue)
	l.EL2N = append(l.EL2N, r.EL2N)
	l.EmbNorm = append(l.EmbNorm, r.EmbNorm)
	l.Forgot = append(l.Forgot, r.Forgot)
	l.Lineage = append(l.Lineage, r.Lineage)
}

// ConcatLosses returns the rows of all tables, one after the other.
func ConcatLosses(tables []Losses) Losses {
	n := 0
	for i := range tables {
		n += tables[i].Len()
	}
	out := Losses{
		RunID:    make([]string, 0, n),
		Attempt:  make([]uint32, 0, n),
		Model:    make([]string, 0, n),
		Dataset:  make([]string, 0, n),
		SampleID: make([]SampleID, 0, n),
		ObjectID: make([]string, 0, n),
		Epoch:    make([]uint32, 0, n),
		Step:     make([]uint64, 0, n),
		Loss:     make([]float32, 0, n),
		Correct:  make([]bool, 0, n),
		Margin:   make([]float32, 0, n),
		PTrue:    make([]float32, 0, n),
		EL2N:     make([]float32, 0, n),
		EmbNorm:  make([]float32, 0, n),
		Forgot:   make([]bool, 0, n),
		Lineage:  make([]string, 0, n),
	}
	for i := range tables {
		out.AppendTable(&tables[i])
	}
	return out
}

// AppendTable adds all rows of t.
func (l *Losses) AppendTable(t *Losses) {
	l.RunID = append(l.RunID, t.RunID...)
	l.Attempt = append(l.Attempt, t.Attempt...)
	l.Model = append(l.Model, t.Model...)
	l.Dataset = append(l.Dataset, t.Dataset...)
	l.SampleID = append(l.SampleID, t.SampleID...)
	l.ObjectID = append(l.ObjectID, t.ObjectID...)
	l.Epoch = append(l.Epoch, t.Epoch...)
	l.Step = append(l.Step, t.Step...)
	l.Loss = append(l.Loss, t.Loss...)
	l.Correct = append(l.Correct, t.Correct...)
	l.Margin = append(l.Margin, t.Margin...)
	l.PTrue = append(l.PTrue, t.PTrue...)
	l.EL2N = append(l.EL2N, t.EL2N...)
	l.EmbNorm = append(l.EmbNorm, t.EmbNorm...)
	l.Forgot = append(l.Forgot, t.Forgot...)
	l.Lineage = append(l.Lineage, t.Lineage...)
}

// Drop removes the rows of the samples in which and returns how many they were.
func (l *Losses) Drop(which map[SampleID]bool) int {
	var kept Losses
	first := 0 // of the rows that are kept together
	for i := 0; i <= l.Len(); i++ {
		if i == l.Len() || which[l.SampleID[i]] {
			rows := l.Slice(first, i)
			kept.AppendTable(&rows)
			first = i + 1
		}
	}
	dropped := l.Len() - kept.Len()
	*l = kept
	return dropped
}

// Slice returns the rows from i up to j; they share memory with l.
func (l *Losses) Slice(i, j int) Losses {
	return Losses{
		RunID:    l.RunID[i:j],
		Attempt:  l.Attempt[i:j],
		Model:    l.Model[i:j],
		Dataset:  l.Dataset[i:j],
		SampleID: l.SampleID[i:j],
		ObjectID: l.ObjectID[i:j],
		Epoch:    l.Epoch[i:j],
		Step:     l.Step[i:j],
		Loss:     l.Loss[i:j],
		Correct:  l.Correct[i:j],
		Margin:   l.Margin[i:j],
		PTrue:    l.PTrue[i:j],
		EL2N:     l.EL2N[i:j],
		EmbNorm:  l.EmbNorm[i:j],
		Forgot:   l.Forgot[i:j],
		Lineage:  l.Lineage[i:j],
	}
}
