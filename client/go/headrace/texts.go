package headrace

import (
	"errors"
	"io"
	"iter"
)

// Text is the text of a field as read so far, of the call of it that began last; "" before one did.
//
// selector is "compose.answer", or "answer" for that field of any predictor.
func (r *Run) Text(selector string) string {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.transcript.newest(selected(selector))
}

// Field is the new text of a field as it comes, until the run ends; an error comes last.
//
// selector is as in [Run.Text]; calls of one predictor follow each other. Goroutines may read several
// fields side by side: each gets all of its text, and whoever finds nothing new reads on for all. Events
// that are read so are not given by Recv.
func (r *Run) Field(selector string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		wanted, read := selected(selector), map[fieldKey]int{}

		for {
			pieces, seen, end := r.newText(wanted, read)

			for _, piece := range pieces {
				if !yield(piece, nil) {
					return
				}
			}

			switch {
			case end == nil:
				r.waitForMore(seen)
			case errors.Is(end, io.EOF):
				return
			default:
				yield("", end)
				return
			}
		}
	}
}

// newText is what a selector's texts hold beyond what was read of each, which it moves on; beside it how
// many events were taken by then, and how reading ended, if it did.
func (r *Run) newText(wanted selector, read map[fieldKey]int) (pieces []string, seen int, end error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	for key, text := range r.transcript.matching(wanted) {
		if text.length > read[key] {
			pieces = append(pieces, text.since(read[key]))
			read[key] = text.length
		}
	}

	return pieces, r.taken, r.err
}

// waitForMore takes the next event, unless somebody else has meanwhile.
func (r *Run) waitForMore(seen int) {
	r.turn.Lock()
	defer r.turn.Unlock()

	if r.count() == seen {
		_, _ = r.take()
	}
}

func (r *Run) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.taken
}
