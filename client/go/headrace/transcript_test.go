package headrace

import (
	"slices"
	"testing"
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

func TestTheTextOfAFieldIsThatOfItsLatestCall(t *testing.T) {
	texts := newTranscript()
	calls := []int32{4, 4, 7}

	for i, event := range slices.Concat(composed()[:2], composed()[:1]) {
		event.GetToken().CallId = calls[i]
		texts.apply(event.GetToken())
	}

	equal(t, texts.text("compose", "answer"), "Grö")
	equal(t, texts.text("compose", "none"), "")
}
