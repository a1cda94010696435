package headrace

import (
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
		t.text = t.text[:byteIndex(t.text, keep)]
		t.start = min(t.start, offset)
		t.length = keep
	}

	t.text = append(t.text, chunk...)
	t.length += utf8.RuneCountInString(chunk)
}

// byteIndex is where the first codePoints of the text end.
func byteIndex(text []byte, codePoints int) int {
	index := 0

	for range codePoints {
		_, size := utf8.DecodeRune(text[index:])
		index += size
	}

	return index
}

type fieldKey struct {
	predictor, field string
	callID           int32
}

// transcript holds all texts of a run, and which call of each field began last.
type transcript struct {
	texts  map[fieldKey]*fieldText
	latest map[fieldKey]*fieldText // by keys without a call
}

func newTranscript() transcript {
	return transcript{map[fieldKey]*fieldText{}, map[fieldKey]*fieldText{}}
}

func (t transcript) apply(token *headracev1.Token) {
	key := fieldKey{token.Predictor, token.Field, token.CallId}
	text, known := t.texts[key]

	if !known {
		text = &fieldText{}
		t.texts[key] = text
		key.callID = 0
		t.latest[key] = text
	}

	text.apply(int(token.Offset), token.Chunk)
}

func (t transcript) text(predictor, field string) string {
	if text, known := t.latest[fieldKey{predictor: predictor, field: field}]; known {
		return string(text.text)
	}

	return ""
}
