package evidence

import (
	"encoding/json"
	"html"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
)

// The page shows each document as text, with the digest of the body that it came in, and
// of a long one the beginning.
func TestThePageShowsWhatCame(t *testing.T) {
	const digest = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	c := casetest.Flood(t)
	c.Alerts[0].Raw = json.RawMessage(`{"note":"<script>alert(1)</script>","password":"[cut]"}`)
	c.Alerts[0].BodyDigest = digest
	c.Alerts[1].Raw = json.RawMessage(`{"note":"` + strings.Repeat("A", 10_000) + `"}`)
	page := pageOf(t, c)
	text := words(page)
	for _, want := range []string{
		"What came as " + c.Alerts[0].Key() + " The body that it was part of, as it came: " + digest,
		`{"note":"<script>alert(1)</script>","password":"[cut]"}`,
		`{"note":"` + strings.Repeat("A", 2_791) + "… (7",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %.200q:\n%.3000s", want, text)
		}
	}
	if strings.Contains(page, "<script>") || !strings.Contains(page, html.EscapeString("<script>alert(1)</script>")) {
		t.Error("a document is on the page as markup")
	}
	files, err := contents(c, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(files[caseFile]), `"body_digest": "`+digest+`"`) {
		t.Error("the record does not have the digest of the body")
	}
}
