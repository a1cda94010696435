package headrace

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	headracev1 "headrace.dev/go/headrace/v1"
)

// fieldText is the text of one field of one predictor call so far. A reader that came late holds it
// from its first token on; offsets count from there.
type fieldText struct {
	text   []byte
	start  int // code points of the field before the text
	length int // code points of the text
}

// apply takes in a chunk at its offset: text = text[:offset] + chunk.
func (t *fieldText) apply(offset int, chunk string) {
	if t.length == 0 {
		t.start = offset
	}

	if keep := max(offset-t.start, 0); keep < t.length {
		t.text = t.text[:t.byteIndex(keep)]
		t.start = min(t.start, offset)
		t.length = keep
	}

	t.text = append(t.text, chunk...)
	t.length += utf8.RuneCountInString(chunk)
}

// since is the text after the first so many code points that are held.
func (t *fieldText) since(position int) string {
	return string(t.text[t.byteIndex(position):])
}

// byteIndex is where the first codePoints of the text end; it is looked for from the end, where it is near.
func (t *fieldText) byteIndex(codePoints int) int {
	index := len(t.text)

	for range t.length - codePoints {
		_, size := utf8.DecodeLastRune(t.text[:index])
		index -= size
	}

	return index
}

type fieldKey struct {
	predictor, field string
	callID           int32
}

// transcript holds all texts of a run, in the order in which they began.
type transcript struct {
	texts map[fieldKey]*fieldText
	keys  []fieldKey
}

func newTranscript() *transcript {
	return &transcript{texts: map[fieldKey]*fieldText{}}
}

func (t *transcript) apply(token *headracev1.Token) {
	key := fieldKey{token.Predictor, token.Field, token.CallId}
	text, known := t.texts[key]

	if !known {
		text = &fieldText{}
		t.texts[key] = text
		t.keys = append(t.keys, key)
	}

	text.apply(int(token.Offset), token.Chunk)
}

// newest is the text of the call that began last; "" before any did.
func (t *transcript) newest(wanted selector) string {
	for _, key := range slices.Backward(t.keys) {
		if wanted.matches(key) {
			return string(t.texts[key].text)
		}
	}

	return ""
}

// matching are the texts that a selector means, in the order in which they began.
func (t *transcript) matching(wanted selector) iter.Seq2[fieldKey, *fieldText] {
	return func(yield func(fieldKey, *fieldText) bool) {
		for _, key := range t.keys {
			if wanted.matches(key) && !yield(key, t.texts[key]) {
				return
			}
		}
	}
}

// selector means a field of one predictor, or of any.
type selector struct {
	predictor string // "" for any
	field     string
}

// selected reads "answer" or "compose.answer". On the wire a predictor goes without the ".predict" that
// ChainOfThought adds.
func selected(text string) selector {
	dot := strings.LastIndex(text, ".")

	return selector{strings.TrimSuffix(text[:max(dot, 0)], ".predict"), text[dot+1:]}
}

func (s selector) matches(key fieldKey) bool {
	return s.field == key.field && (s.predictor == "" || s.predictor == key.predictor)
}
