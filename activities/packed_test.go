package activities

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

func TestPackedComesBack(t *testing.T) {
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf("flow %d to 198.51.100.7", i))
	}
	data, err := json.Marshal(Packed[[]string]{Value: many})
	if err != nil {
		t.Fatal(err)
	}
	var back Packed[[]string]
	if err := json.Unmarshal(data, &back); err != nil || !slices.Equal(back.Value, many) {
		t.Fatalf("came back as %d strings: %v", len(back.Value), err)
	}
	if plain, _ := json.Marshal(many); len(data) > len(plain)/2 {
		t.Errorf("%d bytes packed, %d plain", len(data), len(plain))
	}
}

func TestPackedIsBounded(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := w.Write(bytes.Repeat([]byte(" "), maxPacked+1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(bomb.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"a bomb": encoded, "no gzip": []byte(`"AAAA"`), "no text": []byte(`7`), "nothing plain": []byte(`{}`)} {
		var p Packed[string]
		if err := json.Unmarshal(data, &p); err == nil {
			t.Errorf("%s was unpacked", name)
		}
	}
}
