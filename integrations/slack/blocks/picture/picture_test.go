package picture_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/blocks/cardtest"
	"github.com/stanch-soar/stanch/integrations/slack/blocks/picture"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
)

var update = flag.Bool("update", false, "write the pictures of the documents")

const pictures = "../../../../docs/pictures"

func reader() picture.Reader {
	return picture.Reader{Names: map[string]string{"S0ONCALL": "sec-oncall"}}
}

// TestPictures draws the documents' pictures from the blocks that Slack gets.
func TestPictures(t *testing.T) {
	documents, err := os.ReadFile("../../../../docs/approvals.md")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string][]byte{}
	for _, s := range cardtest.Samples() {
		drawn["card-"+s.Name+".svg"] = message(t, blocks.Render(s.Message, s.Mention).Blocks)
	}
	reason, err := blocks.ReasonView(blocks.Origin{Answer: blocks.Answer{
		Case: "high-egress-windows/ws-042", Approval: "on-call", PlanDigest: cardtest.PlanDigest(), Label: "Isolate WS-042 for 4 h", Reason: true,
	}, Channel: "C1", Message: "1"})
	if err != nil {
		t.Fatal(err)
	}
	drawn["view-deny.svg"] = view(t, reason)
	drawn["view-evidence.svg"] = view(t, blocks.EvidenceView(casetest.Flood(t)))
	shown := 0
	for name, got := range drawn {
		if !bytes.Contains(documents, []byte("pictures/"+name)) {
			continue
		}
		shown++
		path := filepath.Join(pictures, name)
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(want, got) {
			t.Errorf("%s shows another card than the code makes (%v); -update draws it anew", path, err)
		}
	}
	if shown < 10 {
		t.Errorf("the documents show %d pictures; want at least 10", shown)
	}
	files, err := filepath.Glob(filepath.Join(pictures, "*.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != shown {
		t.Errorf("there are %d pictures and the documents show %d of them", len(files), shown)
	}
}

func message(t *testing.T, list []slack.Block) []byte {
	t.Helper()
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	svg, err := reader().Message(data)
	if err != nil {
		t.Fatal(err)
	}
	check(t, svg)
	return svg
}

func view(t *testing.T, v slack.ModalViewRequest) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	svg, err := reader().View(data)
	if err != nil {
		t.Fatal(err)
	}
	check(t, svg)
	return svg
}

// check checks that a picture is one that a browser can show, that it holds
// nothing but shapes and text, and that all of it is on the page.
func check(t *testing.T, svg []byte) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	height := 0.0
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !slices.Contains([]string{"svg", "rect", "text", "line"}, start.Name.Local) {
			t.Errorf("the picture holds a %s", start.Name.Local)
		}
		for _, a := range start.Attr {
			v, err := strconv.ParseFloat(a.Value, 64)
			switch {
			case a.Name.Local == "height" && start.Name.Local == "svg":
				height = v
			case a.Name.Local == "y" && (err != nil || v < 0 || v > height):
				t.Errorf("a %s is at %s of %g", start.Name.Local, a.Value, height)
			}
		}
	}
}

// TestTextStaysText draws text that would be markup in SVG, and reads it back.
func TestTextStaysText(t *testing.T) {
	attack := `</text><script>alert(1)</script>"'&amp;]]>` + "\x00\x1b\u202e"
	svg := message(t, []slack.Block{slack.NewRichTextBlock("", slack.NewRichTextSection(slack.NewRichTextSectionTextElement(attack, nil)))})
	if bytes.Contains(svg, []byte("<script")) {
		t.Errorf("the picture holds a script: %s", svg)
	}
	if !strings.Contains(text(t, svg), "<script>alert(1)</script>") {
		t.Errorf("the text is lost: %s", svg)
	}
}

// text returns what a picture says.
func text(t *testing.T, svg []byte) string {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	var b strings.Builder
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := token.(xml.CharData); ok {
			b.WriteString(strings.TrimSpace(string(data)))
		}
	}
}

// TestNothingIsLost compares what a picture says with what its blocks say.
func TestNothingIsLost(t *testing.T) {
	for _, s := range cardtest.Samples() {
		rendered := blocks.Render(s.Message, s.Mention).Blocks
		data, err := json.Marshal(rendered)
		if err != nil {
			t.Fatal(err)
		}
		var decoded any
		if err := json.Unmarshal(data, &decoded); err != nil {
			t.Fatal(err)
		}
		got := solid(text(t, message(t, rendered)))
		said := words(decoded)
		if len(said) < 2 {
			t.Errorf("%s: only %d texts were compared", s.Name, len(said))
		}
		for _, want := range said {
			if !strings.Contains(got, solid(want)) {
				t.Errorf("%s: the picture does not say %q", s.Name, want)
			}
		}
	}
}

// words returns the texts of blocks that a picture shows as they are: no markup
// and no dialog that opens later, and no label that is wider than a phone.
func words(v any) []string {
	var out []string
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			out = append(out, words(e)...)
		}
	case map[string]any:
		text, isText := v["text"].(string)
		switch {
		case v["type"] == "mrkdwn":
			return nil
		case v["type"] == "button":
			label, _ := v["text"].(map[string]any)
			if name, _ := label["text"].(string); len(name) < 40 {
				return []string{name}
			}
			return nil
		case isText:
			return []string{text}
		}
		for _, e := range v {
			out = append(out, words(e)...)
		}
	}
	return out
}

func solid(s string) string { return strings.Join(strings.Fields(s), "") }

func TestWhatCannotBeDrawn(t *testing.T) {
	for _, bad := range []string{
		`{`, `[{"type":"video"}]`, `[{"type":"header","text":3}]`, `[{"type":"rich_text","elements":[{"type":"rich_text_quote"}]}]`,
		`[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"broadcast"}]}]}]`,
		`[{"type":"actions","elements":[{"type":"datepicker"}]}]`, `[{"type":"context","elements":[{"type":"image"}]}]`,
	} {
		if svg, err := reader().Message([]byte(bad)); err == nil || svg != nil {
			t.Errorf("%s was drawn", bad)
		}
	}
	if _, err := reader().View([]byte(`{"blocks":[{"type":"video"}]}`)); err == nil {
		t.Error("a view with a video was drawn")
	}
}
