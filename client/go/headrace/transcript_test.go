package headrace

import (
	"testing"

	headracev1 "headrace.dev/go/headrace/v1"
)

func TestTextGoesOnFromItsOffsetInCodePoints(t *testing.T) {
	cases := []struct {
		offsets []int
		chunks  []string
		want    string
	}{
		{[]int{0, 3}, []string{"Grö", "ße"}, "Größe"},
		{[]int{0, 3, 3}, []string{"Grö", "ße", "ßer"}, "Größer"}, // again, after a resume
		{[]int{0, 2, 0}, []string{"長さ", "!", "短い"}, "短い"},        // taken back
		{[]int{0, 1}, []string{"🌊🌊", "→"}, "🌊→"},
		{[]int{7, 9}, []string{"la", "te"}, "late"}, // a reader that came late
	}

	for _, one := range cases {
		text := fieldText{}

		for i, chunk := range one.chunks {
			text.apply(one.offsets[i], chunk)
		}

		equal(t, string(text.text), one.want)
	}
}

func TestTheTextOfAFieldIsThatOfTheCallThatBeganLast(t *testing.T) {
	texts := newTranscript()

	for _, one := range []*headracev1.Token{
		{Predictor: "compose", Field: "answer", CallId: 7, Chunk: "first"},
		{Predictor: "compose", Field: "answer", CallId: 4, Chunk: "second"},
		{Predictor: "ideas.compose", Field: "answer", CallId: 5, Chunk: "third"},
		{Predictor: "compose", Field: "answer", CallId: 7, Offset: 5, Chunk: ", longer"},
	} {
		texts.apply(one)
	}

	cases := map[string]string{
		"compose.answer": "second", "compose.predict.answer": "second", "answer": "third",
		"ideas.compose.answer": "third", "compose.none": "", "none.answer": "", "": "",
	}

	for selector, want := range cases {
		equal(t, texts.newest(selected(selector)), want)
	}
}

func TestWhatIsNewInATextIsCountedInCodePoints(t *testing.T) {
	text := fieldText{}
	text.apply(0, "Größe → 長さ🌊")

	for position, want := range []string{"Größe → 長さ🌊", "röße → 長さ🌊", "öße → 長さ🌊", "ße → 長さ🌊"} {
		equal(t, text.since(position), want)
	}

	equal(t, text.since(10), "🌊")
	equal(t, text.since(11), "")
}
